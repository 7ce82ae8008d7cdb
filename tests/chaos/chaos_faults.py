"""Faults of a trial: what is done to a sweep while it runs, and to its files while it does not."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import psutil
from chaos_bench import ChaosBench, Launch, pause
from chaos_disk import fill

from ddrsa.rundir.process_identity import token

Fault = Callable[[ChaosBench, Launch, Random], None]


def kill(kind: str) -> Fault:
    """SIGKILL for one process of a kind: launcher, guardian, server, worker or child."""

    def fault(bench: ChaosBench, launch: Launch, random: Random) -> None:
        if kind == "launcher":
            launch.send(signal.SIGKILL)
            return
        if processes := bench.tree(launch)[kind]:
            with contextlib.suppress(psutil.NoSuchProcess):
                random.choice(processes).kill()

    return fault


def kill_node(bench: ChaosBench, launch: Launch, random: Random) -> None:
    """All processes of a launcher at once, as when their machine goes down."""
    processes = [process for each in bench.tree(launch).values() for process in each]
    random.shuffle(processes)
    everything = [launch.pid, *(process.pid for process in processes)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in everything:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    # A machine that has gone down has children neither: what was adopted, or started, since the look at the tree.
    while left := bench.processes():
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def stop(kind: str) -> Fault:
    """SIGSTOP for one process, and SIGCONT after a while."""

    def fault(bench: ChaosBench, launch: Launch, random: Random) -> None:
        pids = [launch.pid] if kind == "launcher" else [process.pid for process in bench.tree(launch)[kind]]
        if not pids or launch.poll() is not None:
            return
        pid = random.choice(pids)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            pause(random.uniform(0.1, 2))

    return fault


def signals(*numbers: int) -> Fault:
    """Signals to the launcher."""

    def fault(bench: ChaosBench, launch: Launch, random: Random) -> None:  # noqa: ARG001
        for number in numbers:
            launch.send(number)
            pause(random.uniform(0, 0.6))

    return fault


def stop_server_and_end(bench: ChaosBench, launch: Launch, random: Random) -> None:  # noqa: ARG001
    """SIGTERM to a launcher whose server is stopped for good."""
    for process in bench.tree(launch)["server"]:
        process.suspend()
    launch.send(signal.SIGTERM)


def fill_disk(bench: ChaosBench, launch: Launch, random: Random) -> None:  # noqa: ARG001
    """No room on the disk of the sweep for some seconds."""
    if not bench.sweep.exists():
        return
    files = fill(bench.sweep, random)
    pause(random.uniform(0.1, 6))
    for file in files:
        file.unlink(missing_ok=True)


# While it runs.
LIVE: dict[str, Fault] = {
    "kill worker": kill("worker"),
    "kill child of a worker": kill("child"),
    "kill launcher": kill("launcher"),
    "kill server": kill("server"),
    "kill guardian": kill("guardian"),
    "kill node": kill_node,
    "stop worker": stop("worker"),
    "stop server": stop("server"),
    "stop guardian": stop("guardian"),
    "stop launcher": stop("launcher"),
    "SIGINT": signals(signal.SIGINT),
    "SIGINT twice": signals(signal.SIGINT, signal.SIGINT),
    "SIGTERM": signals(signal.SIGTERM),
    "SIGHUP": signals(signal.SIGHUP),
    "stopped server, SIGTERM": stop_server_and_end,
}
# Where the sweep has a disk of its own.
FULL_DISK = "full disk"
LIVE_ON_SMALL_DISK: dict[str, Fault] = {**LIVE, FULL_DISK: fill_disk}

STRUCTURES = ("null", "[1]", "{}", '{"schema_version": 1}', '{"schema_version": 1, "runs": 1}', '"x"', "7", "\x00\xff")
# The rows of epochs have no checksum of their own, and a sweep of scripts no use for them: see test_epoch_log.
NOT_DAMAGED = ("training_log.csv",)
JOURNAL = "study.journal"


def damage(sweep: Path, random: Random) -> str:
    """Damage one of the sweep's files, and say how."""
    kept = [*NOT_DAMAGED]
    if (sweep / JOURNAL).exists():
        kept.append("status.json")  # of a trial that has its value: nobody needs it any more
    files = sorted(path for path in sweep.rglob("*") if path.is_file() and path.name not in kept)
    if not files:
        return "nothing to damage"
    # As many kinds of files as there are: most of them lie in each run.
    name = random.choice(sorted({path.name for path in files}))
    file = random.choice([path for path in files if path.name == name])
    content = bytearray(file.read_bytes())
    ways: dict[str, Callable[[], object]] = {
        "truncated": lambda: file.write_bytes(content[: random.randrange(len(content) + 1)]),
        "emptied": lambda: file.write_bytes(b""),
        "zeroed": lambda: file.write_bytes(bytes(len(content))),
        "deleted": file.unlink,
        "of another structure": lambda: file.write_text(random.choice(STRUCTURES)),
        "structurally damaged": lambda: file.write_text(_restructured(content.decode(errors="replace"), random)),
        "with a flipped bit": lambda: file.write_bytes(_flipped(content, random)),
        "with a changed digit": lambda: file.write_bytes(_other_digit(content, random)),
    }
    if name == JOURNAL:
        # What Optuna writes there has no checksum: a number that is still one is another number. docs/security.md
        ways = {how: ways[how] for how in ("truncated", "zeroed")}
    how = random.choice(sorted(ways))
    ways[how]()
    return f"{file.relative_to(sweep)} {how}"


def _flipped(content: bytearray, random: Random) -> bytes:
    if not content:
        return b""
    place = random.randrange(len(content))
    return bytes([*content[:place], content[place] ^ 1 << random.randrange(8), *content[place + 1 :]])


def _other_digit(content: bytearray, random: Random) -> bytes:
    """What can still be read, and says something else."""
    digits = [place for place, byte in enumerate(content) if chr(byte).isdecimal()]
    if not digits:
        return bytes(content)
    place = random.choice(digits)
    other = random.choice([digit for digit in b"0123456789" if digit != content[place]])
    return bytes([*content[:place], other, *content[place + 1 :]])


def _restructured(text: str, random: Random) -> str:
    """JSON with one of its values replaced by one of another type; other texts without one of their lines."""
    try:
        content = json.loads(text)
        key = random.choice(sorted(content))
    except (ValueError, TypeError, IndexError):
        lines = text.splitlines()
        return "\n".join(lines[:-1])
    content[key] = random.choice([None, [], {}, "x", [None], {"a": 1}, -1])
    return json.dumps(content)


def shift_clocks(sweep: Path, random: Random) -> str:
    """All that was written was so an hour earlier or later, as after a step of the clock; or the file server's."""
    seconds = random.choice([-3600, 3600])
    for path in [sweep, *sweep.rglob("*")]:
        stat = path.lstat()
        # An owner that has let a run go has set its file to zero.
        if stat.st_mtime > 0:
            os.utime(path, (stat.st_atime + seconds, stat.st_mtime + seconds), follow_symlinks=False)
    return f"files moved by {seconds} s"


def leave_temporary(sweep: Path, random: Random) -> str:
    """Files that a process which died has not renamed."""
    run = random.choice([sweep, *sorted(path for path in sweep.glob("x*") if path.is_dir())])
    file = run / f".status.json.{token().rpartition('-')[0]}-0-{random.getrandbits(32):08x}.tmp"
    file.write_text("{")
    return f"{file.name} left in {run.name}"


def lose_run(sweep: Path, random: Random) -> str:
    """A run's directory is deleted."""
    runs = sorted(path for path in sweep.glob("x*") if path.is_dir())
    if not runs:
        return "nothing to delete"
    run = random.choice(runs)
    shutil.rmtree(run)
    return f"{run.name} deleted"


DAMAGE = "damaged file"
# Between two launches.
AT_REST: dict[str, Callable[[Path, Random], str]] = {
    DAMAGE: damage,
    "moved clock": shift_clocks,
    "deleted run": lose_run,
    "temporary file": leave_temporary,
}

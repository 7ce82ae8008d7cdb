"""Benches: sweeps in a directory of their own, and the traces that they leave there."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import psutil

import ddrsa
from ddrsa.rundir.directory import RunDirectory

# Far more than a sweep of these takes, so that a machine with other work to do is not taken for a broken one.
SECONDS_OF_A_SWEEP = 90.0
SECONDS_OF_AN_EVENT = 30.0
STEPS = 20  # of a run that goes on from its last

CONFIG = """
defaults: [{{override hydra/launcher: {launcher}}}, {{override hydra/sweeper: checked}}, _self_]
x: 0
hydra: {{sweep: {{dir: sweep, subdir: "x${{x}}"}}}}
"""


class CheckFailed(Exception):  # noqa: N818 - it is a finding
    """A promise does not hold here; the message says what was seen."""


def require(holds: bool, seen: str) -> None:
    """Raise CheckFailed with `seen` unless it holds."""
    if not holds:
        raise CheckFailed(seen)


def until(holds: Callable[[], Any], what: str, seconds: float = SECONDS_OF_AN_EVENT) -> None:
    """Wait until it holds. Raises CheckFailed, with `what` did not come about."""
    deadline = time.monotonic() + seconds
    while not holds():
        require(time.monotonic() < deadline, what)
        time.sleep(0.02)


class Launches:
    """Sweeps in `directory`, of the package that this process has imported, whatever else is installed.

    A context: at its end all processes that were started there are killed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.launched: list[subprocess.Popen[str]] = []
        package = str(Path(ddrsa.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        self.environ = {"PYTHONPATH": path, "DDRSA_LEASE_DIR": str(directory / "leases")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for launcher in self.launched:
            launcher.kill()
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for launcher in self.launched:
            launcher.communicate()

    def launch(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the directory, in a session of its own."""
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.launched.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], seconds: float = SECONDS_OF_A_SWEEP) -> tuple[int, str]:
        """Wait for a command; its exit code and its output. Raises CheckFailed where it takes longer."""
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise CheckFailed(f"a sweep did not end in {seconds:g} s") from error
        return process.returncode, output

    def interrupt(self, process: subprocess.Popen[str], *signals: signal.Signals) -> None:
        """Send these signals, the second after the first has been noticed. Raises CheckFailed where it never is."""
        for number, earlier in zip(signals, [None, *signals], strict=False):
            if earlier is not None:
                until(lambda: self.is_logged("no new run starts"), "the first Ctrl+C had no effect")
            process.send_signal(number)

    def path(self, name: str) -> RunDirectory:
        """The directory of a run."""
        return RunDirectory(self.directory / "sweep" / name)

    def status(self, name: str) -> dict[str, Any]:
        """The status.json of a run; empty where it has none."""
        return self.path(name).status_or_empty()

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a file in the directory, each read as JSON; none where there is no such file."""
        file = self.directory / name
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of this kind that the runs have reported, in their order."""
        return [event for event in self.lines("events.txt") if event["event"] == kind]

    def steps(self, name: str) -> list[int]:
        """The steps of a run, in their order. One that was reported, but not saved before a kill, counts once."""
        events = [event for event in self.events("step") if event["directory"] == name]
        again = [
            (event["step"], event["pid"] != after["pid"]) == (after["step"], True)
            for event, after in itertools.pairwise(events)
        ]
        return [event["step"] for event, repeated in zip(events, [*again, False], strict=False) if not repeated]

    def is_logged(self, text: str) -> bool:
        """Whether sweep.log has this text."""
        log = self.directory / "sweep" / "sweep.log"
        return log.exists() and text in log.read_text()

    def processes(self) -> list[psutil.Process]:
        """All that work in this directory, but for the launchers."""
        launchers = {process.pid for process in self.launched}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                here = process.cwd() == str(self.directory) and process.status() != psutil.STATUS_ZOMBIE
                if here and process.pid not in launchers:
                    found.append(process)
        return found


class Bench(Launches):
    """Sweeps of `ddrsa.sweep.verify.task`."""

    def __init__(self, directory: Path, launcher: str = "supervised") -> None:
        """launcher: the name of the launcher that is tried."""
        super().__init__(directory)
        (directory / "conf").mkdir(parents=True)
        (directory / "conf" / "task.yaml").write_text(CONFIG.format(launcher=launcher))
        self.plan({})

    def plan(self, do: Mapping[int, str], gpus: Any = None) -> None:
        """Set what the run of each x shall do, as `verify.task` has it; the others end at once."""
        (self.directory / "do.json").write_text(json.dumps({"do": do, "gpus": gpus, "steps": STEPS}))

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Start a sweep."""
        place = ["--config-path", str(self.directory / "conf"), "--config-name", "task"]
        return self.launch(sys.executable, "-m", "ddrsa.sweep.verify.task", "-m", *place, *overrides)

    def end(self, process: subprocess.Popen[str], exit_code: int) -> str:
        """Wait for a sweep, and give what it printed. Raises CheckFailed where it ends with another exit code."""
        found, output = self.finish(process)
        if found != exit_code:
            name = f"signal {signal.Signals(-found).name}" if found < 0 else f"exit code {found}"
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
            raise CheckFailed(f"a sweep ended with {name} instead of {exit_code}: {last}")
        return output

    def run(self, *overrides: str, exit_code: int = 0) -> str:
        """Start a sweep and wait for it."""
        return self.end(self.start(*overrides), exit_code)

    def states(self, count: int) -> list[str | None]:
        """The states of the runs x = 0 .. count - 1."""
        return [self.status(f"x{x}").get("state") for x in range(count)]

    def until_begun(self, count: int) -> None:
        """Wait until so many runs have begun, in all sweeps together. Raises CheckFailed."""
        until(lambda: len(self.events("begins")) >= count, f"{count} runs did not start")

    def require_no_processes(self, seconds: float = 10.0) -> None:
        """Raise CheckFailed where one is left over for longer than that."""
        until(lambda: not self.processes(), f"processes were left over after {seconds:g} s", seconds)

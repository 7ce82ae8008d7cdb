"""The checks of `python -m ddrsa.sweep verify`, each with real sweeps, processes and signals."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from typing import Any

from ddrsa.sweep.gpu.visible import visible_gpus
from ddrsa.sweep.process.server_process import is_portable
from ddrsa.sweep.verify.bench import STEPS, Bench, require, until

Check = Callable[[Bench], str]


def runs_at_once(bench: Bench) -> str:
    """Two runs wait for each other: they end only if both are under way at the same time."""
    bench.plan({0: "meet", 1: "meet"})
    bench.run("x=0,1", "hydra.launcher.n_jobs=2")
    pids = {event["pid"] for event in bench.events("begins")}
    require(len(pids) == 2, "two runs had one process")
    return "2 runs met, each in a process of its own"


def one_at_a_time(bench: Bench) -> str:
    """With n_jobs=1 no two runs overlap."""
    bench.plan(dict.fromkeys(range(3), "pause"))
    bench.run("x=0,1,2", "hydra.launcher.n_jobs=1")
    spans = _spans(bench, "begins", "ends")
    require(len(spans) == 3, f"{len(spans)} of 3 runs began and ended")
    require(_overlap(spans) is None, "runs overlapped though n_jobs=1")
    return "3 runs, one after the other"


def isolation(bench: Bench) -> str:
    """An exception, a crash and a SIGKILL each end their own run alone, and the reason is recorded."""
    bench.plan({0: "raise", 1: "segfault", 2: "kill"})
    bench.run("x=range(5)", "hydra.launcher.n_jobs=2", exit_code=1)
    expected = ["failed", "killed", "killed", "completed", "completed"]
    require(bench.states(5) == expected, f"the states are {bench.states(5)} instead of {expected}")
    for x, word in enumerate(("ValueError", "SIGSEGV", "SIGKILL")):
        reason = str(bench.status(f"x{x}").get("error"))
        require(word in reason, f"the reason of a run that ended by {word} is {reason!r}")
    require("raised on purpose" in bench.path("x0").log.read_text(), "the traceback is not in run.log")
    return "exception, SIGSEGV and SIGKILL each ended one run, and 2 others completed"


def retries(bench: Bench) -> str:
    """A run that fails once is tried again, and one that always fails only so often."""
    bench.plan({0: "raise once", 1: "kill once", 2: "raise"})
    bench.run("x=0,1,2", "hydra.launcher.n_jobs=2", "hydra.launcher.retries=1", exit_code=1)
    expected = ["completed", "completed", "failed"]
    require(bench.states(3) == expected, f"the states are {bench.states(3)} instead of {expected}")
    attempts = [bench.status(f"x{x}").get("attempt") for x in range(3)]
    require(attempts == [2, 2, 2], f"the attempts were {attempts} instead of 2 each")
    return "2 of 2 passing failures were made good at the second attempt"


def timeouts(bench: Bench) -> str:
    """A run that ignores SIGTERM, and its child, are gone after their time."""
    bench.plan({0: "hang"})
    minutes = 0.15 if is_portable() else 0.03  # an interpreter has to start in it
    bench.run("x=0,1", "hydra.launcher.n_jobs=2", f"hydra.launcher.timeout={minutes}", exit_code=1)
    require(bench.states(2) == ["timed_out", "completed"], f"the states are {bench.states(2)}")
    bench.require_no_processes()
    return "a run that ignores SIGTERM was ended with its child"


def exit_codes(bench: Bench) -> str:
    """0 where all completed, 1 where one failed, 2 for a value that is not allowed, before anything is written."""
    bench.run("x=0,1", "hydra.launcher.n_jobs=0", exit_code=2)
    require(not (bench.directory / "sweep").exists(), "a refused command left a directory")
    bench.run("x=0")
    bench.plan({1: "raise"})
    bench.run("x=0,1", exit_code=1)
    return "0, 1 and 2 as they should be; 130 is with Ctrl+C"


def first_interrupt(bench: Bench) -> str:
    """Ctrl+C once: the runs under way finish, no other starts; the same command does the rest."""
    bench.plan(dict.fromkeys(range(4), "wait"))
    process = bench.start("x=range(4)", "hydra.launcher.n_jobs=2")
    bench.until_begun(2)
    process.send_signal(signal.SIGINT)
    # It has to be noticed before a run ends, since another would start then.
    until(lambda: bench.is_logged("no new run starts") or process.poll() is not None, "Ctrl+C had no effect")
    (bench.directory / "go").touch()
    bench.end(process, 130)
    expected = ["completed", "completed", None, None]
    require(bench.states(4) == expected, f"the states are {bench.states(4)} instead of {expected}")
    bench.run("x=range(4)", "hydra.launcher.n_jobs=2")
    require(len(bench.events("begins")) == 4, "a run was started twice")
    return "2 under way finished, 2 did not start; the second command did those alone"


def second_interrupt(bench: Bench) -> str:
    """Ctrl+C twice, or SIGTERM: all ends at once, with nothing left over."""
    for signals in ([signal.SIGINT, signal.SIGINT], [signal.SIGTERM]):
        bench.plan({0: "wait", 1: "hang"})
        process = bench.start("x=0,1", "hydra.launcher.n_jobs=2")
        begun = len(bench.events("begins")) + 2
        bench.until_begun(begun)
        bench.interrupt(process, *signals)
        bench.end(process, 130)
        require(bench.states(2) == ["interrupted", "interrupted"], f"the states are {bench.states(2)}")
        bench.require_no_processes()
    return "Ctrl+C twice and SIGTERM ended all; the states say interrupted"


def resume(bench: Bench) -> str:
    """The launcher is killed by SIGKILL: no orphans, and the same command goes on without doing a step twice."""
    bench.plan({1: "steps"})
    process = bench.start("x=0,1,2", "hydra.launcher.n_jobs=1")
    until(lambda: len(bench.events("step")) >= STEPS // 4, "no run got half-way")
    process.kill()
    bench.require_no_processes()
    done = len(bench.steps("x1"))
    require(done < STEPS, "the run went on without its launcher")
    bench.run("x=0,1,2", "hydra.launcher.n_jobs=1")
    starts = [event["x"] for event in bench.events("begins")]
    require(starts == [0, 1, 1, 2], f"the runs that started were x={starts} instead of 0, 1, 1, 2")
    require(bench.steps("x1") == list(range(1, STEPS + 1)), "a step was done twice, or left out")
    return f"killed after step {done} of {STEPS}; the second command did the others"


def two_launchers(bench: Bench) -> str:
    """Two launchers on one directory divide the runs."""
    bench.plan(dict.fromkeys(range(4), "pause"))
    overrides = ("x=range(4)", "hydra.launcher.n_jobs=1")
    for process in [bench.start(*overrides), bench.start(*overrides)]:
        bench.end(process, 0)
    starts = sorted(event["x"] for event in bench.events("begins"))
    require(starts == [0, 1, 2, 3], f"the runs that started were x={starts}: each should once")
    return "4 runs, each started once"


def gpu_leases(bench: Bench) -> str:
    """No two runs hold a GPU at the same time, all GPUs are used, and that of a killed run is free again."""
    gpus = visible_gpus()
    listed: Any = [gpu.index for gpu in gpus[:4]] or [0, 1]
    count = 2 * len(listed) + 1
    bench.plan({0: "gpu killed", **dict.fromkeys(range(1, count), "gpu")}, listed)
    bench.run(f"x=range({count})", f"hydra.launcher.n_jobs={count}", "hydra.launcher.retries=1")
    spans = _spans(bench, "leased", "releases")
    require(len(spans) == count + 1, f"{len(spans)} of {count + 1} leases were given back")
    for gpu in listed:
        of_it = [(begin, end) for begin, end, event in spans if event["gpu"] == gpu]
        require(bool(of_it), f"GPU {gpu} was never leased")
        require(_overlap([(begin, end, {}) for begin, end in of_it]) is None, f"two runs had GPU {gpu} at once")
    real = "GPUs of this machine" if gpus else "pretended GPUs, since none is visible"
    return f"{count} runs took turns on {len(listed)} {real}"


CHECKS: dict[str, Check] = {
    "runs at once": runs_at_once,
    "one at a time": one_at_a_time,
    "isolation": isolation,
    "retries": retries,
    "timeouts": timeouts,
    "exit codes": exit_codes,
    "Ctrl+C once": first_interrupt,
    "Ctrl+C twice": second_interrupt,
    "resume": resume,
    "two launchers": two_launchers,
    "GPU leases": gpu_leases,
}


def _spans(bench: Bench, begin: str, end: str) -> list[tuple[float, float, dict[str, Any]]]:
    """From each event `begin` to the `end` of the same run in the same process."""
    ends = {(event["pid"], event["x"]): event["at"] for event in bench.events(end)}
    begins = [(event, (event["pid"], event["x"])) for event in bench.events(begin)]
    return [(event["at"], ends[key], event) for event, key in begins if key in ends]


def _overlap(spans: list[tuple[float, float, dict[str, Any]]]) -> tuple[Any, Any] | None:
    ordered = sorted(spans, key=lambda span: span[0])
    return next(((a, b) for a, b in itertools.pairwise(ordered) if b[0] < a[1]), None)

"""A trial: a sweep or a search with faults that a seed has chosen, which must end as the undisturbed one did."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chaos_bench import ChaosBench, CheckFailed, Launch, pause, require
from chaos_faults import AT_REST, LIVE

GRID = ["x=range(5)"]
SEARCH = [
    "x=range(1000)",
    "hydra/sweeper=optuna",
    "hydra.sweeper.n_trials=5",
    "hydra.sweeper.sampler.seed=3",
    "hydra.launcher.n_jobs=1",  # the draws of two at a time depend on which ends first
]
COMMANDS = {"grid": GRID, "search": SEARCH}
MOST_LAUNCHES = 6


@dataclass
class Trial:
    """What a trial did, and found."""

    seed: int
    kind: str
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    finding: str | None = None


class References:
    """The results of the undisturbed grid and search, each found when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._found: dict[str, dict[str, Any]] = {}

    def __getitem__(self, kind: str) -> dict[str, Any]:
        if kind not in self._found:
            with ChaosBench(self.directory / f"reference-{kind}", COMMANDS[kind]) as bench:
                require(bench.begin().wait() == 0, f"the undisturbed {kind} failed")
                self._found[kind] = bench.results()
                bench.check(self._found[kind])
        return self._found[kind]


def run_trial(seed: int, directory: Path, references: References) -> Trial:
    """Do the trial of a seed in a directory, which is kept where it finds something."""
    random = Random(seed)
    kind = "search" if random.random() < 0.2 else "grid"
    expected = references[kind]
    command = [*COMMANDS[kind], f"children={str(random.random() < 0.5).lower()}"]
    trial = Trial(seed, kind)
    with ChaosBench(directory, command) as bench:
        try:
            _disturb(bench, trial, random)
            _end(bench, trial)
            bench.check(expected)
        except CheckFailed as finding:
            trial.finding = str(finding)
        except Exception as error:
            trial.finding = f"{type(error).__name__}: {error}"
    if trial.finding is None:
        shutil.rmtree(directory)
    return trial


def _disturb(bench: ChaosBench, trial: Trial, random: Random) -> None:
    for _ in range(random.randint(1, 2)):
        launches = [bench.begin() for _ in range(random.choice([1, 1, 1, 1, 2, 3]))]
        if len(launches) > 1:
            trial.faults.append(f"{len(launches)} launchers")
        for _ in range(random.randint(1, 2)):
            name = random.choice(sorted(LIVE))
            done = len(bench.events("step"))
            # Also before the first step, while all is started.
            wait = 0 if random.random() < 0.2 else done + random.randint(0, 12)
            bench.until_events(wait, launches)
            pause(random.uniform(0, 1.0 if wait == 0 else 0.05))
            launch = random.choice(launches)
            trial.faults.append(name)
            trial.notes.append(f"{name} after {len(bench.events('step'))} steps")
            LIVE[name](bench, launch, random)
        _wait_for_all(launches, trial)
        completed = bench.completed()
        if random.random() < 0.6:
            name = random.choice(sorted(AT_REST))
            if trial.kind == "search" and name in ("deleted run", "temporary file"):
                continue  # a trial that has its value needs its run no more, and nobody looks there
            trial.faults.append(name)
            trial.notes.append(AT_REST[name](bench.sweep, random) if bench.sweep.exists() else "nothing there")
        else:
            _none_is_done_again(bench, completed)


def _none_is_done_again(bench: ChaosBench, completed: set[str]) -> None:
    """A run that has completed is not started again by the same command."""
    seen = len(bench.events("begins"))
    bench.begin().wait()
    again = {f"x{event['x']}" for event in bench.events("begins")[seen:]} & completed
    require(not again, f"done again: {sorted(again)}")


def _wait_for_all(launches: list[Launch], trial: Trial) -> None:
    for launch in launches:
        code = launch.wait()
        trial.notes.append(f"ended with {code}")
        require(
            code in (0, 1, 130, -signal.SIGKILL, -signal.SIGHUP, -signal.SIGTERM, -signal.SIGINT), f"exit code {code}"
        )


def _end(bench: ChaosBench, trial: Trial) -> None:
    """The same command, undisturbed, until it has nothing to do."""
    for _ in range(MOST_LAUNCHES):
        code = bench.begin().wait()
        trial.notes.append(f"at last {code}")
        if code == 0:
            return
    raise CheckFailed(f"the sweep does not end: {trial.notes}")

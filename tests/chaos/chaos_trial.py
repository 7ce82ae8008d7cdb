"""A trial: a sweep or a search with faults that a seed has chosen, which must end as the undisturbed one did."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chaos_bench import ChaosBench, CheckFailed, Launch, pause, require, until
from chaos_disk import can_mount, small_disk
from chaos_faults import AT_REST, DAMAGE, FULL_DISK, JOURNAL, LIVE, LIVE_ON_SMALL_DISK
from chaos_training import TRAINING, TrainingBench

from ddrsa.sweep.search.mend import mend

GRID = ["x=range(5)"]
SEARCH = [
    "x=range(1000)",
    "hydra/sweeper=optuna",
    "hydra.sweeper.n_trials=5",
    "hydra.sweeper.sampler.seed=3",
    "hydra.launcher.n_jobs=1",  # the draws of two at a time depend on which ends first
]
COMMANDS = {"grid": GRID, "search": SEARCH, "training": TRAINING}
MOST_LAUNCHES = 6
# Of a launcher that was disturbed.
EXIT_CODES = (0, 1, 130, -signal.SIGKILL, -signal.SIGHUP, -signal.SIGTERM, -signal.SIGINT)
# Of a launcher that is refused: how the journal can be mended, and that it found no room to begin.
MEND = "ddrsa.sweep mend"
NO_ROOM = "No space left"


@dataclass
class Trial:
    """What a trial did, and found."""

    seed: int
    kind: str
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    finding: str | None = None
    on_small_disk: bool = False


def bench_of(kind: str, directory: Path, *more: str) -> ChaosBench:
    """A bench for the sweep of a kind, with more overrides."""
    bench = TrainingBench if kind == "training" else ChaosBench
    return bench(directory, [*COMMANDS[kind], *more])


class References:
    """The results of the undisturbed grid and search, each found when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._found: dict[str, dict[str, Any]] = {}

    def __getitem__(self, kind: str) -> dict[str, Any]:
        if kind not in self._found:
            with bench_of(kind, self.directory / f"reference-{kind}") as bench:
                require(bench.begin().wait() == 0, f"the undisturbed {kind} failed")
                self._found[kind] = bench.results()
                bench.check(self._found[kind])
        return self._found[kind]


def run_trial(seed: int, directory: Path, references: References) -> Trial:
    """Do the trial of a seed in a directory, which is kept where it finds something."""
    random = Random(seed)
    kind = random.choices(["grid", "search", "training"], [74, 20, 6])[0]
    children = [f"children={str(random.random() < 0.5).lower()}"] if kind != "training" else []
    on_small_disk = random.random() < 0.25
    expected = references[kind]
    trial = Trial(seed, kind)
    with bench_of(kind, directory, *children) as bench, contextlib.ExitStack() as stack:
        if on_small_disk and can_mount():
            stack.enter_context(small_disk(bench.sweep))
            trial.on_small_disk = True
        try:
            _disturb(bench, trial, random)
            _end(bench, trial)
            bench.check(expected)
        except CheckFailed as finding:
            trial.finding = str(finding)
        except Exception as error:
            trial.finding = f"{type(error).__name__}: {error}"
        bench.end()
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
            if trial.on_small_disk and random.random() < 0.5:
                name = FULL_DISK
            done = bench.steps_done()
            # Also before the first step, while all is started.
            wait = 0 if random.random() < 0.2 else done + random.randint(0, 12)
            bench.until_steps(wait, launches)
            pause(random.uniform(0, 1.0 if wait == 0 else 0.05))
            launch = random.choice(launches)
            trial.faults.append(name)
            trial.notes.append(f"{name} after {len(bench.events('step'))} steps")
            LIVE_ON_SMALL_DISK[name](bench, launch, random)
        _wait_for_all(launches, trial)
        # Of a launcher that was killed they end a moment later; the files are at rest only then.
        until(lambda: not bench.processes(), "processes were left over", 30)
        completed = bench.completed()
        if random.random() < 0.6:
            name = random.choice(sorted(AT_REST))
            if trial.kind == "search" and name in ("deleted run", "temporary file"):
                continue  # a trial that has its value needs its run no more, and nobody looks there
            note = AT_REST[name](bench.sweep, random) if bench.sweep.exists() else "nothing there"
            trial.notes.append(note)
            trial.faults.append(f"file {note.partition(' ')[2]}" if name == DAMAGE and bench.sweep.exists() else name)
        else:
            _none_is_done_again(bench, completed)


def _none_is_done_again(bench: ChaosBench, completed: dict[str, int]) -> None:
    """A run that has completed is not started again by the same command."""
    seen = len(bench.events("begins"))
    bench.begin().wait()
    again = {f"x{event['x']}" for event in bench.events("begins")[seen:]} & completed.keys()
    again |= {name for name, attempts in bench.completed().items() if completed.get(name, attempts) != attempts}
    require(not again, f"done again: {sorted(again)}")


def _wait_for_all(launches: list[Launch], trial: Trial) -> None:
    for launch in launches:
        code = launch.wait()
        trial.notes.append(f"ended with {code}")
        refused = code == 2 and any(text in launch.printed for text in (MEND, NO_ROOM))
        require(code in EXIT_CODES or refused, f"exit code {code}")


def _end(bench: ChaosBench, trial: Trial) -> None:
    """The same command, undisturbed, until it has nothing to do."""
    for _ in range(MOST_LAUNCHES):
        launch = bench.begin()
        code = launch.wait()
        trial.notes.append(f"at last {code}")
        if code == 0:
            return
        if MEND in launch.printed:
            trial.notes.append("mended")
            with contextlib.redirect_stdout(io.StringIO()):
                mend(bench.sweep / JOURNAL)
    raise CheckFailed(f"the sweep does not end: {trial.notes}")

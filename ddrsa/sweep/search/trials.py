"""Trials of a study: asked for, told, and taken up again where a search was cut off."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from ddrsa.rundir.locked_files import LockedFile, read_held
from ddrsa.rundir.sweep_files import OWNERS
from ddrsa.sweep.search import compat_optuna

log = logging.getLogger(__name__)

# User attributes of a trial.
OWNER = "search"  # of the process that does it
JOB = "job"  # its overrides; the identity and the directory of its run
REASON = "reason"  # why it failed
DROPPED = "dropped"  # it waited with values that are not searched any more, and does not count

_MUTEX = ".search.lock"


class Trials:
    """The trials that this process does of a study, until the study has `n_trials` that have ended.

    A trial is RUNNING only while the process that does it lives. Where that was killed, or has given it back, the
    trial waits, and is asked for again with the same values; so its run goes on from its checkpoint.

    sampler: gives a sampler for the trial after so many others; None keeps that of the study.
    """

    def __init__(
        self,
        study: optuna.Study,
        n_trials: int,
        sweep_dir: Path,
        sampler: Callable[[int], BaseSampler] | None = None,
    ) -> None:
        self.study = study
        self.n_trials = n_trials
        self.sweep_dir = sweep_dir
        self.sampler = sampler
        self.exhausted = False  # the sampler has no other values
        self._mutex = FileLock(sweep_dir / _MUTEX)
        self._owners = sweep_dir / OWNERS
        self._mine: dict[int, Trial] = {}
        with self._mutex:
            self._owners.mkdir(exist_ok=True)
            file = self._owners / f"{socket.gethostname()}-{os.getpid()}"
            self._lock = LockedFile.create(file, {})
        self._owner = {"hostname": socket.gethostname(), "pid": os.getpid(), "file": str(file)}
        self._left_alone: set[int] = set()

    def close(self) -> None:
        """Give back what is under way, and say that this process does no more trials."""
        self.give_back_all()
        if self._lock is not None:
            with self._mutex:
                self._lock.path.unlink(missing_ok=True)
                self._lock.release()

    def give_back_all(self) -> None:
        """Give back the trials that this process has asked for and not told of."""
        for trial in list(self._mine.values()):
            self.give_back(trial)

    def enqueue(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Have these tried first. Those that were enqueued before are not again."""
        with self._mutex:
            for each in values:
                self.study.enqueue_trial(dict(each), skip_if_exists=True)

    @property
    def left(self) -> int:
        """The number of trials that can still be asked for."""
        if self.exhausted:
            return 0
        started = sum(trial.state != TrialState.WAITING and counts(trial) for trial in self._all())
        return max(self.n_trials - started, 0)

    def ask(self) -> Trial | None:
        """The next trial, which is RUNNING then; None where there are enough."""
        with self._mutex:
            if self.left == 0:
                return None
            if self.sampler is not None:
                self.study.sampler = self.sampler(self._next_number())
            trial = self.study.ask()
            if self._is_excess(trial):
                trial.set_user_attr(DROPPED, True)
                self.fail(trial, f"another search of the study had begun the last of its {self.n_trials} trials")
                return None
            trial.set_user_attr(OWNER, self._owner)
        self._mine[trial.number] = trial
        return trial

    def _is_excess(self, trial: Trial) -> bool:
        """Whether others have begun all trials meanwhile: the mutex holds in one sweep directory, not at a database."""
        started = [each.number for each in self._all() if each.state != TrialState.WAITING and counts(each)]
        return sum(number < trial.number for number in started) >= self.n_trials

    def _next_number(self) -> int:
        """The number of the trial that is asked for next: one that waits, which was drawn for or not, or a new one."""
        trials = self._all()
        return next((each.number for each in trials if each.state == TrialState.WAITING), len(trials))

    def note(
        self,
        trial: Trial,
        *,
        overrides: Sequence[str],
        run: str,
        directory: str,
        repeats: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        """Write down what the run of the trial is. directory: relative to the sweep directory.

        repeats: the key that tells its runs from each other, with its values; `run` and `directory` are of the first.
        """
        job: dict[str, Any] = {"overrides": list(overrides), "run": run, "directory": directory}
        if repeats is not None:
            job["repeats"] = {key: list(values) for key, values in repeats.items()}
        if trial.user_attrs.get(JOB) != job:
            trial.set_user_attr(JOB, job)

    def constrain(self, trial: Trial, name: str, value: float) -> None:
        """Set a constraint of the trial."""
        frozen = compat_optuna.trial_of(self.study, trial.number)
        compat_optuna.set_constraint(self.study, frozen, name, value)

    def tell(self, trial: Trial, values: Sequence[float]) -> None:
        """The trial is COMPLETE. Raises ValueError where the values are not as many as the objectives, or are NaN."""
        self._tell(trial, TrialState.COMPLETE, values)

    def prune(self, trial: Trial) -> None:
        """The trial is PRUNED; its value is the last that it reported."""
        self._tell(trial, TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """The trial is FAIL."""
        trial.set_user_attr(REASON, reason)
        self._tell(trial, TrialState.FAIL)

    def repeat(self, trial: Trial, other: FrozenTrial) -> None:
        """The trial has the same run as `other`, and so the same result."""
        for name, value in compat_optuna.constraints_of(other).items():
            self.constrain(trial, name, value)
        if other.state == TrialState.COMPLETE:
            self.tell(trial, other.values)
            return
        for step, value in other.intermediate_values.items():
            compat_optuna.set_intermediate_value(self.study, trial, step, value)
        self.prune(trial)

    def give_back(self, trial: Trial) -> None:
        """Let the trial wait for the next start of the search."""
        self._mine.pop(trial.number, None)
        compat_optuna.requeue(self.study, trial)

    def report(self, trial: Trial, step: int, value: float) -> None:
        """Set an intermediate value of the trial."""
        compat_optuna.set_intermediate_value(self.study, trial, step, value)

    def should_prune(self, trial: Trial) -> bool:
        """Whether the pruner of the study wants the trial to end, after what was reported."""
        return self.study.pruner.prune(self.study, compat_optuna.trial_of(self.study, trial.number))

    def with_run(self, run: str, repeats: Mapping[str, Sequence[int]] | None = None) -> FrozenTrial | None:
        """A trial with this run, and these repeats, that has a result: COMPLETE, else PRUNED."""
        jobs = ((trial, job_of(trial)) for trial in self._all())
        same = [trial for trial, job in jobs if job.get("run") == run and job.get("repeats") == repeats]
        for state in (TrialState.COMPLETE, TrialState.PRUNED):
            for trial in same:
                if trial.state == state:
                    return trial
        return None

    @property
    def mutex(self) -> AbstractContextManager[object]:
        """Lock on what the processes at this study do to its trials."""
        return self._mutex

    def others_at_work(self) -> list[str]:
        """The live processes besides this one that do trials of the study, by the names of their files."""
        mine = None if self._lock is None else self._lock.path
        with self._mutex:
            files = [file for file in sorted(self._owners.iterdir()) if file != mine]
            return [file.name for file in files if read_held(file) is not None]

    def recover(self) -> int:
        """Requeue every RUNNING trial whose process has died; returns their number."""
        recovered = 0
        with self._mutex:
            for trial in self._all():
                if trial.state != TrialState.RUNNING or trial.number in self._mine or self._is_done_elsewhere(trial):
                    continue
                if compat_optuna.requeue(self.study, trial):  # unless its process told how it ended meanwhile
                    log.info("trial %d was cut off: it goes on", trial.number)
                    recovered += 1
        return recovered

    def _is_done_elsewhere(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get(OWNER)
        if owner is None:  # killed between its beginning and its first note
            return False
        file = Path(owner["file"])
        # Another machine's files may not be here at all: only those that are, and that nobody holds, say that it died.
        unknown = owner["hostname"] != socket.gethostname() and not file.exists()
        if unknown and trial.number not in self._left_alone:
            self._left_alone.add(trial.number)
            log.warning("trial %d is being done on %s: left alone", trial.number, owner["hostname"])
        return unknown or read_held(file) is not None

    def _tell(self, trial: Trial, state: TrialState, values: Sequence[float] | None = None) -> None:
        has_no_more = compat_optuna.tell(self.study, trial, state, values if values is None else list(values))
        if has_no_more and not self.exhausted:
            log.info("the sampler has no other values: no more trials are asked for")
            self.exhausted = True
        self._mine.pop(trial.number, None)

    def _all(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)


def counts(trial: FrozenTrial) -> bool:
    """Whether it is one of the `n_trials`."""
    return not trial.user_attrs.get(DROPPED)


def enqueued_values(trial: FrozenTrial) -> dict[str, Any]:
    """The values that a trial was enqueued with, which it keeps there until it is asked for."""
    return dict(trial.system_attrs.get("fixed_params") or {})


def job_of(trial: FrozenTrial) -> dict[str, Any]:
    """The note of a trial by `Trials.note`: `overrides`, `run` and `directory`; empty where there is none."""
    job: Any = trial.user_attrs.get(JOB)
    return job if isinstance(job, dict) else {}  # with custom_search_space a fixed key may have this name

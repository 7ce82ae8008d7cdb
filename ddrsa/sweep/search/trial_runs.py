"""Runs of a study's trials: planned from the trial's values, and told to the study when they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState

from ddrsa.errors import ConfigError
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State, is_done_for
from ddrsa.sweep.config import TRIAL_VARIABLE
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.search.config import OptunaSweeperConf
from ddrsa.sweep.search.objective import trial_values
from ddrsa.sweep.search.repeats import Repeats, mean_of
from ddrsa.sweep.search.report import constraint_name
from ddrsa.sweep.search.space import SearchSpace, choice_text
from ddrsa.sweep.search.trials import Trials, job_of
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.failures import FailedRun
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

# Errors of Hydra in composing a config, and of a project's check of one.
UNUSABLE = (ConfigError, HydraException, OmegaConfBaseException)


class TrialRuns:
    """The trials of one start of a search as runs of a sweep; the drivers launch them.

    failures: the trials that failed in this start. done: how many trials got a result in it.
    """

    def __init__(
        self,
        trials: Trials,
        space: SearchSpace,
        config: DictConfig,
        options: OptunaSweeperConf,
        plan_job: Callable[[Sequence[str], int], PlannedRun],
        repeats: Repeats,
    ) -> None:
        """config: of the sweep. plan_job: plans a job by its overrides and number, and raises one of `UNUSABLE`."""
        self.repeats = repeats
        self._results: dict[int, list[list[float]]] = {}  # of the repeats of each trial under way, by its number
        self.trials = trials
        self.space = space
        self.config = config
        self.options = options
        self.plan_job = plan_job
        self.failures: list[FailedRun] = []
        self.done = 0

    def plan(self, trial: Trial) -> PlannedRun | None:
        """The run of the trial; None where the trial has ended already, because its config cannot be used or another
        trial had the same run.
        """
        try:
            params = self.space.suggest(trial, self.config)
        except TrialPruned as pruned:
            log.info("trial %d is skipped: %s", trial.number, " ".join(str(pruned).split()) or "TrialPruned")
            self.trials.prune(trial)
            self.done += 1
            return None
        except ConfigError as error:
            self._cannot_be_run(trial, error)
            return None
        try:
            run = self._plan_repeat(trial, params, 0)
        except UNUSABLE as error:
            self._cannot_be_run(trial, error)
            return None
        directory = str(run.directory.relative_to(self.trials.sweep_dir))
        of_repeats = {self.repeats.key: self.repeats.values} if self.repeats.count > 1 else None
        overrides = self.space.overrides(params)
        self.trials.note(trial, overrides=overrides, run=run.identity, directory=directory, repeats=of_repeats)
        same = self.trials.with_run(run.identity, of_repeats)
        if same is not None:
            log.info("trial %d has the same run as trial %d, and its result", trial.number, same.number)
            self.trials.repeat(trial, same)
            self.done += 1
            return None
        self._results[trial.number] = []
        return run

    def done_already(self) -> list[PlannedRun]:
        """The runs of the trials that have ended with a result, as they were planned."""
        planned = []
        for trial in self.trials.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
            if "overrides" not in job_of(trial):
                continue
            for repeat in range(self.repeats.count):
                try:
                    run = self._plan_overrides(trial, job_of(trial)["overrides"], dict(trial.params), repeat)
                except UNUSABLE as error:
                    log.warning("trial %d cannot be planned any more: %s", trial.number, " ".join(str(error).split()))
                    break
                if is_done_for(RunDirectory(run.directory).status_or_empty(run.identity), search=True):
                    planned.append(run)
        return list({run.identity: run for run in planned}.values())

    def _plan_repeat(self, trial: Trial, params: dict[str, Any], repeat: int) -> PlannedRun:
        return self._plan_overrides(trial, self.space.overrides(params), params, repeat)

    def _plan_overrides(
        self, trial: Trial | FrozenTrial, of_trial: Sequence[str], params: dict[str, Any], repeat: int
    ) -> PlannedRun:
        overrides = self.repeats.overrides(of_trial, repeat)
        number = trial.number * self.repeats.count + repeat
        run = self.plan_job([*overrides, f"++hydra.job.env_set.{TRIAL_VARIABLE}={trial.number}"], number)
        shown = _texts(params)
        if self.repeats.count > 1:
            shown[self.repeats.key] = str(self.repeats.values[repeat])
        return replace(run, values=shown)

    def _cannot_be_run(self, trial: Trial, error: Exception) -> None:
        reason = " ".join(str(error).split())
        log.warning("trial %d cannot be run: %s", trial.number, reason)
        self.trials.fail(trial, reason)
        shown = tuple(f"{key}={text}" for key, text in _texts(trial.params).items())
        self.failures.append(FailedRun("not started", shown, error))

    def tell(self, trials: Sequence[Trial], run: PlannedRun, outcome: Outcome) -> PlannedRun | None:
        """Tell the study how the run of the trials, which have the same values, ended.

        Returns their next repeat; None where they have ended.
        """
        if outcome.state is State.COMPLETED:
            try:
                return self._completed(trials, run, outcome)
            except ValueError as unusable:
                log.warning("trial %d has no value: %s", trials[0].number, unusable)
                outcome = Outcome(State.FAILED, str(unusable), error=unusable)
        for trial in trials:
            self._ended(trial, run, outcome)
        return None

    def _completed(self, trials: Sequence[Trial], run: PlannedRun, outcome: Outcome) -> PlannedRun | None:
        """As `tell`. Raises ValueError where the run has no value."""
        options, first = self.options, trials[0]
        results = self._results[first.number]
        repeat = len(results)
        count = len(options.directions)
        results.append(trial_values(options.objective, count, outcome.value, run.directory, options.objective_group))
        of_repeat = repeat if self.repeats.count > 1 else None
        for name, value in (RunDirectory(run.directory).status_or_empty().get("constraints") or {}).items():
            for trial in trials:
                self.trials.constrain(trial, constraint_name(name, of_repeat), value)
        if of_repeat is not None and count == 1:
            for trial in trials:
                self.trials.report(trial, repeat, results[-1][0])
        if repeat + 1 == self.repeats.count:
            for trial in trials:
                self.trials.tell(trial, mean_of(results))
                self.done += 1
            return None
        if count == 1 and self.trials.should_prune(first):
            log.info("trial %d stops after %d of %d repeats", first.number, repeat + 1, self.repeats.count)
            for trial in trials:
                self._ended(trial, run, Outcome(State.PRUNED))
            return None
        try:
            return self._plan_repeat(first, dict(first.params), repeat + 1)
        except UNUSABLE as error:
            raise ValueError(f"its repeat {repeat + 1} cannot be run: {' '.join(str(error).split())}") from error

    def _ended(self, trial: Trial, run: PlannedRun, outcome: Outcome) -> None:
        """Tell the study of a trial that has no value."""
        if outcome.state in (State.INTERRUPTED, State.PENDING):
            self.trials.give_back(trial)
            return
        if outcome.state is State.PRUNED:
            self.trials.prune(trial)
            self.done += 1
            return
        error, reason = outcome.error, outcome.reason or outcome.state
        self.trials.fail(trial, reason)
        shown = tuple(f"{key}={value}" for key, value in run.values.items())
        self.failures.append(FailedRun(str(run.directory), shown, error or RuntimeError(reason)))

    def too_many_failures(self) -> str | None:
        """Why no new trial shall start: more have failed, of all that there will be, than `max_failure_rate` allows."""
        rate, count = self.options.max_failure_rate, len(self.failures)
        if count <= rate * self.trials.n_trials:
            return None
        return f"{count} of {count_of(self.trials.n_trials, 'trial')} have failed (max_failure_rate={rate:g})"


def _texts(params: dict[str, Any]) -> dict[str, str]:
    return {key: choice_text(value) for key, value in params.items()}

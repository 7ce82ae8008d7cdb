"""Runs of a study's trials: planned from the trial's values, and told to the study when they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import Trial

from ddrsa.errors import ConfigError
from ddrsa.rundir.states import State
from ddrsa.sweep.config import TRIAL_VARIABLE
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.search.config import OptunaSweeperConf
from ddrsa.sweep.search.objective import trial_values
from ddrsa.sweep.search.space import SearchSpace, choice_text
from ddrsa.sweep.search.trials import Trials
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.failures import FailedRun

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
    ) -> None:
        """config: of the sweep. plan_job: plans a job by its overrides and number, and raises one of `UNUSABLE`."""
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
            overrides = self.space.overrides(params)
            run = self.plan_job([*overrides, f"++hydra.job.env_set.{TRIAL_VARIABLE}={trial.number}"], trial.number)
        except UNUSABLE as error:
            reason = " ".join(str(error).split())
            log.warning("trial %d cannot be run: %s", trial.number, reason)
            self.trials.fail(trial, reason)
            shown = tuple(f"{key}={text}" for key, text in _texts(trial.params).items())
            self.failures.append(FailedRun("not started", shown, error))
            return None
        directory = str(run.directory.relative_to(self.trials.sweep_dir))
        self.trials.note(trial, overrides=overrides, run=run.identity, directory=directory)
        same = self.trials.with_run(run.identity)
        if same is not None:
            log.info("trial %d has the same run as trial %d, and its result", trial.number, same.number)
            self.trials.repeat(trial, same)
            self.done += 1
            return None
        return replace(run, values=_texts(params))

    def tell(self, trial: Trial, run: PlannedRun, outcome: Outcome) -> None:
        """Tell the study how the run of the trial ended."""
        if outcome.state is State.INTERRUPTED:
            self.trials.give_back(trial)
            return
        if outcome.state is State.PRUNED:
            self.trials.prune(trial)
            self.done += 1
            return
        error, reason = outcome.error, outcome.reason or outcome.state
        if outcome.state is State.COMPLETED:
            try:
                options = self.options
                count = len(options.directions)
                values = trial_values(options.objective, count, outcome.value, run.directory, options.objective_group)
                self.trials.tell(trial, values)
            except ValueError as unusable:
                error, reason = unusable, str(unusable)
                log.warning("trial %d has no value: %s", trial.number, reason)
            else:
                self.done += 1
                return
        self.trials.fail(trial, reason)
        shown = tuple(f"{key}={value}" for key, value in run.values.items())
        self.failures.append(FailedRun(str(run.directory), shown, error or RuntimeError(reason)))

    def too_many_failures(self) -> str | None:
        """Why no new trial shall start: more have failed, of all that there will be, than `max_failure_rate` allows."""
        rate, count = self.options.max_failure_rate, len(self.failures)
        if count <= rate * self.trials.n_trials:
            return None
        return f"{count} of {self.trials.n_trials} trials have failed (max_failure_rate={rate:g})"


def _texts(params: dict[str, Any]) -> dict[str, str]:
    return {key: choice_text(value) for key, value in params.items()}

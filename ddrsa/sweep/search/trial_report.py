"""Reports of a run to the study that it is a trial of."""

from __future__ import annotations

import logging
from typing import Any

import optuna
from optuna.trial import TrialState

from ddrsa.sweep.search import compat_optuna
from ddrsa.sweep.search.study import StudyAddress, make_pruner

log = logging.getLogger(__name__)


class TrialReport:
    """Reports the values of trial `number` to the study that `hydra`, the job's config of Hydra, names."""

    def __init__(self, hydra: Any, number: int) -> None:
        address = StudyAddress.of(hydra)
        self.study = optuna.load_study(
            study_name=address.name, storage=address.open(), pruner=make_pruner(hydra.sweeper.pruner)
        )
        self.number = number
        if len(self.study.directions) > 1:
            log.info("trial %d: Optuna prunes for one objective only, nothing is pruned here", number)

    def constrain(self, name: str, value: float) -> None:
        """Set a constraint of the trial. Raises what the storage raises, also where the trial has ended."""
        compat_optuna.set_constraint(self.study, compat_optuna.trial_of(self.study, self.number), name, value)

    def report(self, value: float, step: int) -> bool:
        """Whether the pruner wants the trial to end."""
        if len(self.study.directions) > 1:
            return False
        trial = compat_optuna.trial_of(self.study, self.number)
        if trial.state != TrialState.RUNNING:
            log.warning("trial %d is %s in the study: nothing is reported", self.number, trial.state.name)
            return False
        if trial.last_step is not None and step <= trial.last_step:
            # Of an attempt before this one; what the pruner said then, stands.
            return False
        compat_optuna.set_intermediate_value(self.study, trial, step, value)
        return self.study.pruner.prune(self.study, compat_optuna.trial_of(self.study, self.number))

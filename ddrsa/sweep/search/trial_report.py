"""A trial as its own run sees it."""

from __future__ import annotations

import logging
from typing import Any

import optuna
from optuna.trial import TrialState

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
        # What a trial needs to be reported; `optuna.Trial` would also let the sampler prepare for it.
        self.storage = self.study._storage
        self.trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        if len(self.study.directions) > 1:
            log.info("trial %d: Optuna prunes for one objective only, nothing is pruned here", number)

    def report(self, value: float, step: int) -> bool:
        """Whether the pruner wants the trial to end."""
        if len(self.study.directions) > 1:
            return False
        trial = self.storage.get_trial(self.trial_id)
        if trial.state != TrialState.RUNNING:
            log.warning("trial %d is %s in the study: nothing is reported", self.number, trial.state.name)
            return False
        if trial.last_step is not None and step <= trial.last_step:
            # Of an attempt before this one; what the pruner said then, stands.
            return False
        self.storage.set_trial_intermediate_value(self.trial_id, step, value)
        return self.study.pruner.prune(self.study, self.storage.get_trial(self.trial_id))

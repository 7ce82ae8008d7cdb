"""What a training reports to the search that it is a trial of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ddrsa.sweep.objective import metric_value
from ddrsa.sweep.reporting import report, searched_objectives, trial_number
from ddrsa.training.epoch_log import EpochRecord

log = logging.getLogger(__name__)


class Pruning:
    """Reports the objective of the search, on the validation units, after each epoch; outside of a search nothing.

    evaluate: the metrics on the validation units, of the model as it is now.
    num_epochs: the most; a run that has done them all is not pruned any more.
    """

    def __init__(self, evaluate: Callable[[], dict[str, Any]], num_epochs: int) -> None:
        self.evaluate = evaluate
        self.num_epochs = num_epochs
        self.trial = trial_number()
        objectives = [] if self.trial is None else searched_objectives()
        self.reports = len(objectives) == 1
        self.objective = objectives[0] if self.reports else None
        self.pruned = False

    def wants_end(self, record: EpochRecord) -> bool:
        """Report the epoch that has ended; whether the search wants the training to end."""
        if self.reports:
            value = self._value(record)
            self.pruned = value is not None and report(value, record.epoch) and record.epoch < self.num_epochs
        return self.pruned

    def _value(self, record: EpochRecord) -> float | None:
        if self.objective in (None, "nll", "validation.nll"):
            return record.validation_nll
        try:
            value = metric_value({"validation": self.evaluate()}, str(self.objective))
        except ValueError:
            # The time of the training, say: it is known at the end.
            log.info("%s is not measured after each epoch: this run is not pruned", self.objective)
            self.reports = False
            return None
        return float("nan") if value is None else float(value)

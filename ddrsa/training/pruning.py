"""Reports of a training to the search that it is a trial of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ddrsa.training.epoch_log import EpochRecord

log = logging.getLogger(__name__)


class Pruning:
    """Reports the objective of the search, on the validation units, after each epoch.

    report: tells the search (value, epoch), and returns whether it wants the training to end; None outside of a search.
    objective: what the search looks at, None for what the run returns: the likelihood of the validation windows.
    metric: the value of an objective in the metrics of a run; raises ValueError where they have none of that name.
    evaluate: the metrics on the validation units, of the model as it is now.
    num_epochs: the most; a run that has done them all is not pruned any more.
    """

    def __init__(
        self,
        report: Callable[[float, int], bool] | None,
        objective: str | None,
        metric: Callable[[Mapping[str, Any], str], Any],
        evaluate: Callable[[], dict[str, Any]],
        num_epochs: int,
    ) -> None:
        self.report = report
        self.objective = objective
        self.metric = metric
        self.evaluate = evaluate
        self.num_epochs = num_epochs
        self.pruned = False

    def wants_end(self, record: EpochRecord) -> bool:
        """Report the epoch that has ended; whether the search wants the training to end."""
        if self.report is not None:
            value = self._value(record)
            self.pruned = value is not None and self.report(value, record.epoch) and record.epoch < self.num_epochs
        return self.pruned

    def _value(self, record: EpochRecord) -> float | None:
        if self.objective in (None, "nll", "validation.nll"):
            return record.validation_nll
        try:
            value = self.metric({"validation": self.evaluate()}, str(self.objective))
        except ValueError:
            # The time of the training, say: it is known at the end.
            log.info("%s is not measured after each epoch: this run is not pruned", self.objective)
            self.report = None
            return None
        return float("nan") if value is None else float(value)

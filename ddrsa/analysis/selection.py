"""What decides which configuration is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddrsa.analysis.metrics import DEFAULT_METRIC, SELECT_BY, column, metric
from ddrsa.errors import ConfigError

if TYPE_CHECKING:
    from ddrsa.analysis.collect import Sweep


@dataclass(frozen=True)
class Selection:
    """What decides which configuration is best: the mean over its repeats of one metric.

    metric: its name, without a prefix; select_by: `validation` or `test`, the units that it is taken on.
    """

    metric: str = DEFAULT_METRIC
    select_by: str = "validation"

    def __post_init__(self) -> None:
        if self.select_by not in SELECT_BY:
            raise ConfigError(f"select_by={self.select_by}: allowed are {' and '.join(SELECT_BY)}")

    @property
    def column(self) -> str:
        """The column of the table of runs."""
        return column(self.metric, self.select_by)

    @property
    def higher_is_better(self) -> bool:
        """Whether the highest mean is the best."""
        return metric(self.metric).higher_is_better

    def check(self, sweep: Sweep) -> None:
        """Raise ConfigError where completed runs have metrics, but not the one that was asked for."""
        if sweep.completed.empty or self.metric in sweep.metrics or self.column in sweep.metrics:
            return
        if self.metric == DEFAULT_METRIC:
            return  # of scripts, say: nobody has asked for it, and the tables do without it
        known = sorted(sweep.quality_metrics)
        allowed = f"these runs have {', '.join(known)}" if known else "these runs have no metric of quality"
        raise ConfigError(f"metric={self.metric}: {allowed}")

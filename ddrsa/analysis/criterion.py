"""The criterion by which a configuration is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddrsa.analysis.foreign import RETURN_VALUE, is_foreign
from ddrsa.analysis.metrics import DEFAULT_METRIC, SCRIPT, SECOND_METRIC, SELECT_BY, UNITS, column, metric
from ddrsa.errors import ConfigError

if TYPE_CHECKING:
    from ddrsa.analysis.collect import Sweep


@dataclass(frozen=True)
class Choice:
    """The user's wishes for the `Criterion`; None leaves it to the runs.

    Raises ConfigError where `select_by` is none of the units that can be chosen.
    """

    metric: str | None = None
    select_by: str | None = None

    def __post_init__(self) -> None:
        if self.select_by is not None and self.select_by not in SELECT_BY:
            raise ConfigError(f"select_by={self.select_by}: allowed are {' and '.join(SELECT_BY)}")

    def for_runs(self, sweep: Sweep) -> Criterion:
        """The criterion among the runs of `sweep`: of models the likelihood of the validation units.

        Of scripts their numbers as they report them: that which is the `scripts.objective` of all, or the only one.
        """
        jobs = sweep.completed.get("scripts.job")  # of the others the config may be damaged
        of_scripts = jobs is not None and len(jobs) > 0 and bool(jobs.notna().all())
        if not of_scripts and _is_foreign(sweep):
            name = self.metric or _metric_of_tasks(sweep) or DEFAULT_METRIC
            on_validation = column(name, "validation") in sweep.metrics
            return Criterion(name, self.select_by or ("validation" if on_validation else SCRIPT))
        select_by = self.select_by or (SCRIPT if of_scripts else "validation")
        name = self.metric or (_metric_of_scripts(sweep) if of_scripts else None) or _default(sweep, select_by)
        return Criterion(name, select_by)


def _default(sweep: Sweep, select_by: str) -> str:
    wanted = column(DEFAULT_METRIC, select_by)
    has_it = wanted in sweep.metrics and bool(sweep.completed[wanted].notna().any())
    has_second = {SECOND_METRIC, column(SECOND_METRIC, select_by)} & set(sweep.metrics)
    return SECOND_METRIC if has_second and not has_it else DEFAULT_METRIC


def _is_foreign(sweep: Sweep) -> bool:
    """Whether the completed runs are all of tasks that are not the project's."""
    runs = sweep.completed
    names = list(map(str, runs))
    # Row by row, as the first that is not says it of them all.
    rows = runs.itertuples(index=False, name=None)
    return not runs.empty and all(is_foreign(_present(names, row)) for row in rows)


def _present(names: Sequence[str], row: Sequence[Any]) -> set[str]:
    return {name for name, value in zip(names, row, strict=True) if value == value}  # NaN: the run does not have it


def _metric_of_tasks(sweep: Sweep) -> str | None:
    """What all returned, or the only metric that there is."""
    if RETURN_VALUE in sweep.metrics and bool(sweep.completed[RETURN_VALUE].notna().any()):
        return RETURN_VALUE
    return sweep.quality_metrics[0] if len(sweep.quality_metrics) == 1 else None


def _metric_of_scripts(sweep: Sweep) -> str | None:
    objectives = set(sweep.completed.get("scripts.objective", [None]))
    names = objectives if objectives != {None} else sweep.quality_metrics
    return str(next(iter(names))) if len(names) == 1 and None not in names else None


@dataclass(frozen=True)
class Criterion:
    """The criterion for the best configuration: the mean over its repeats of one metric.

    metric: its name, without a prefix; select_by: one of `UNITS`, the units that it is taken on.
    """

    metric: str = DEFAULT_METRIC
    select_by: str = "validation"

    @property
    def units(self) -> str:
        """The units, as words that follow a number."""
        return UNITS[self.select_by]

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
        if self.metric in (DEFAULT_METRIC, SECOND_METRIC):
            return  # of scripts, say: nobody has asked for it, and the tables do without it
        known = sorted(sweep.quality_metrics)
        allowed = f"these runs have {', '.join(known)}" if known else "these runs have no metric of quality"
        raise ConfigError(f"metric={self.metric}: {allowed}")

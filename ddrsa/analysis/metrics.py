"""Metrics: the label, the unit and the better direction of each number of a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ddrsa.better import name_says_higher

# The columns of the validation units' metrics begin with this.
VALIDATION = "validation_"
# Between the name of a metric and that of the subset of the data set that it is of: nll@FD001.
OF_SUBSET = "@"
# The units that a metric is taken on, and how that is said. A script has no such units: its numbers are its own.
SCRIPT = "script"
UNITS = {"validation": "on the validation units", "test": "on the test units", SCRIPT: "as the run reports it"}
SELECT_BY = ("validation", "test")


@dataclass(frozen=True)
class Metric:
    """A metric of a run. unit is empty where it has none."""

    label: str
    unit: str = ""
    higher_is_better: bool = False
    lowest: float | None = None
    highest: float | None = None

    def axis(self) -> str:
        """The label of an axis: with the unit, or the range where there is none, and the better direction."""
        if self.unit:
            scale = f" ({self.unit})"
        elif self.lowest is not None and self.highest is not None:
            scale = f" ({self.lowest:g} to {self.highest:g})"
        else:
            scale = ""
        return f"{self.label}{scale}\n{'higher' if self.higher_is_better else 'lower'} is better"


_CONCORDANCE = {"higher_is_better": True, "lowest": 0.0, "highest": 1.0}

METRICS = {
    "rul_mae": Metric("MAE of the RUL", "cycles"),
    "rul_rmse": Metric("RMSE of the RUL", "cycles"),
    "restricted_rmse": Metric("RMSE of the restricted time", "cycles"),
    "concordance_index": Metric("Concordance index", **_CONCORDANCE),  # type: ignore[arg-type]
    "concordance_index_ipcw": Metric("Concordance index, IPCW", **_CONCORDANCE),  # type: ignore[arg-type]
    "nasa_score": Metric("NASA score", "points per window"),
    "integrated_brier_score": Metric("Integrated Brier score", lowest=0.0, highest=1.0),
    "nll": Metric("Negative log-likelihood", "nats per window"),
    "landmark_concordance_index": Metric("Concordance index at equal age", **_CONCORDANCE),  # type: ignore[arg-type]
    "age_concordance_index": Metric("Concordance index of the age alone", **_CONCORDANCE),  # type: ignore[arg-type]
    "concordance_above_age": Metric("Concordance index above that of the age alone", higher_is_better=True),
    "nll_below_constant_hazard": Metric("Likelihood above that of one hazard", "nats per window", True),
    "oti_at_5_percent": Metric("OTI: time to event at 5 % missed", "cycles"),
    "oti_at_10_percent": Metric("OTI: time to event at 10 % missed", "cycles"),
    "official_rmse": Metric("RMSE, official C-MAPSS protocol", "cycles"),
    "official_score": Metric("Score, official C-MAPSS protocol", "points"),
    "training_time_seconds": Metric("Training time", "seconds"),
    "best_validation_loss": Metric("Validation loss", "nats per window"),
    "n_parameters": Metric("Parameters of the model", "number"),
}

# Metrics that a run tells in steps of its rows; NASA's own engines run in cycles.
TIMES = frozenset({name for name, each in METRICS.items() if each.unit == "cycles"} - {"official_rmse"})

# By these the best configurations are named.
CRITERIA = (
    *("nll", "restricted_rmse", "integrated_brier_score", "rul_mae", "rul_rmse"),
    *("concordance_index", "nasa_score", "oti_at_5_percent"),
)

# What a run returns, a sweep ranks by and a search minimises. docs/analysis.md says why.
DEFAULT_METRIC = "nll"
# Where no run has a likelihood: runs of other tasks.
SECOND_METRIC = "rul_mae"

# Numbers of a result that say how it came about or how much data there was, not how good the model is.
NO_QUALITY = frozenset(
    {"training_time_seconds", "epochs_run", "best_epoch", "n_parameters", "best_validation_loss"}
    | {"num_units", "num_censored_units", "num_windows", "num_event_windows"}
)

# What a model has to beat: numbers that are 0 or less where it does not, and how that is said.
BASELINES = {
    "concordance_above_age": "concordance does not beat the age of the units alone",
    "nll_below_constant_hazard": "likelihood does not beat one constant hazard",
}

# Headings of tables, which have no room for more.
_SHORT = {
    "nll": "NLL",
    "restricted_rmse": "restricted RMSE",
    "integrated_brier_score": "Brier score",
    "rul_mae": "MAE",
    "rul_rmse": "RMSE",
    "concordance_index": "C-index",
    "nasa_score": "NASA score",
    "oti_at_5_percent": "OTI at 5 %",
    "training_time_seconds": "training (s)",
}

_maximized: frozenset[str] = frozenset()


def set_maximized(names: Iterable[str]) -> None:
    """Say which metrics are better the higher they are, whatever their names: those that the search maximizes."""
    global _maximized
    _maximized = frozenset(names)


_time_units: dict[str, str] = {}


def set_time_units(units: Mapping[str, str]) -> None:
    """Say in what times are told, by data set."""
    global _time_units
    _time_units = dict(units)


def time_unit(dataset: str | None = None) -> str:
    """What the times of a data set, or of all, are told in."""
    if dataset in _time_units:
        return _time_units[dataset]
    units = set(_time_units.values())
    return units.pop() if len(units) == 1 else "in the unit of each data set" if units else "cycles"


def metric(name: str, dataset: str | None = None) -> Metric:
    """The metric of a column, with or without the prefix `validation_`.

    dataset: whose values it is; None: of all. One that is not known here is better the lower it is, unless its name
    says otherwise (accuracy, auc, f1, ...).
    """
    name = name.removeprefix(VALIDATION) if name not in METRICS else name
    name, _, subset = name.partition(OF_SUBSET)
    if subset:
        of_all = metric(name, dataset)
        return replace(of_all, label=f"{of_all.label} on {subset}")
    known = METRICS.get(name)
    if known is not None and name in TIMES:
        known = replace(known, unit=time_unit(dataset))
    if name in _maximized:
        return replace(known or Metric(name.replace("_", " ")), higher_is_better=True)
    return known or Metric(name.replace("_", " "), higher_is_better=name_says_higher(name))


def column(name: str, select_by: str) -> str:
    """The column of the metric `name` on the units of `select_by`, one of `UNITS`."""
    return VALIDATION + name if select_by == "validation" else name


def heading(key: str, unit: str = "") -> str:
    """The heading of the column `key` of a table of runs: `MAE (cycles), validation`. unit: in which times are told."""
    name = key.removeprefix(VALIDATION)
    label = _SHORT.get(name) or (metric(name).label if key.startswith(VALIDATION) else key)
    if name in TIMES and unit:
        label += f" ({unit})"
    if key.startswith(VALIDATION):
        return f"{label}, validation"
    return f"{label}, test" if key in CRITERIA else label

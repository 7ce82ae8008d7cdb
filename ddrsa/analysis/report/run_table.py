"""Table of runs, as data for the script of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ddrsa.analysis.analysis import Analysis
from ddrsa.analysis.metrics import CRITERIA, VALIDATION, column, heading, time_unit

# Without a script the page shows so many runs, the best first; with it, so many at a time.
PAGE_ROWS = 50

# A column with at most so many values has a list to choose from.
MOST_CHOICES = 30


@dataclass(frozen=True)
class Column:
    """A column of the table.

    key: in runs.csv; label: in the heading; kind: `link`, `text` or `number`; choices: the values to filter by.
    """

    key: str
    label: str
    kind: str
    choices: list[str]


@dataclass(frozen=True)
class RunTable:
    """columns; data: for each column its values, run by run, None where there is none; order: the best run first.

    sorted_by: the number of the column that the order is by; descending: whether higher values come first.
    """

    columns: list[Column]
    data: list[list[Any]]
    sorted_by: int | None
    descending: bool

    @property
    def count(self) -> int:
        """The number of runs."""
        return len(self.data[0])

    @property
    def first_rows(self) -> list[list[Any]]:
        """The rows that stand on the page before its script has run."""
        return [[values[row] for values in self.data] for row in range(min(self.count, PAGE_ROWS))]

    @property
    def for_script(self) -> dict[str, Any]:
        """The data that the script of the page reads."""
        columns = [{"key": each.key, "label": each.label, "kind": each.kind} for each in self.columns]
        return {
            "columns": columns,
            "data": self.data,
            "sortedBy": self.sorted_by,
            "descending": self.descending,
            "pageRows": PAGE_ROWS,
        }


def run_table(analysis: Analysis) -> RunTable:
    """Every run: its directory, state, model, what was swept, and the metrics by which configurations are judged."""
    sweep, criterion = analysis.sweep, analysis.criterion
    table = analysis.tables["runs"]
    several = table["dataset"].nunique() > 1
    names = ["directory", "state", *(["sweep"] if "sweep" in table else []), *(["dataset"] if several else []), "model"]
    swept = [key for key in [*sweep.hyperparameters, *sweep.repeats] if key not in names]
    numbers = list(dict.fromkeys([criterion.column, *_metrics(sweep.metrics), "training_time_seconds"]))
    by = criterion.column if criterion.column in table else None
    if by is not None:
        table = table.sort_values(by, ascending=not criterion.higher_is_better, na_position="last", kind="stable")
    keys = [key for key in dict.fromkeys([*names, *swept, *numbers]) if key in table]
    columns = [_column(table, key, "link" if key == "directory" else "") for key in keys]
    data = [[_value(value) for value in table[key].tolist()] for key in keys]
    return RunTable(columns, data, None if by is None else keys.index(by), criterion.higher_is_better)


def _metrics(known: list[str]) -> list[str]:
    """The metrics to show: on the test units, and on the validation units."""
    return [name for each in CRITERIA for name in (each, column(each, "validation")) if name in known]


def _column(table: pd.DataFrame, key: str, kind: str) -> Column:
    values = [value for value in table[key].tolist() if _value(value) is not None]
    if not kind:
        is_number = all(isinstance(value, int | float) for value in values) and len(values) > 0
        kind = "number" if is_number else "text"
    if kind == "link" or key in _RESULTS or key.startswith(VALIDATION):
        return Column(key, _label(key), kind, [])
    # As the script writes the same values, so that a choice and a cell are equal.
    distinct = {str(_value(value)) for value in values}
    choices = sorted(distinct, key=float if kind == "number" else None) if 1 < len(distinct) <= MOST_CHOICES else []
    return Column(key, _label(key), kind, choices)


# Every run has another value of these: there is nothing to choose from.
_RESULTS = frozenset({*CRITERIA, "training_time_seconds"})


def _label(key: str) -> str:
    return "run" if key == "directory" else heading(key, time_unit())


def _value(value: Any) -> Any:
    """As JSON has it: None for what is not there, and no more digits than mean something."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, float):
        rounded = float(f"{value:.6g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    return value if isinstance(value, int | str) else str(value)

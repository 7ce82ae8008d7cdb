"""Data for the plots, taken from an analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

from ddrsa.analysis.configurations import is_absent
from ddrsa.analysis.metrics import NO_QUALITY, column
from ddrsa.analysis.plots.drawn import NotDrawn
from ddrsa.analysis.read_run import NO_NAME
from ddrsa.analysis.results import is_number

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

# More data sets than this make a page too long; the first by name are drawn.
MOST_DATASETS = 8


def drawn_column(analysis: Analysis, name: str) -> str:
    """The column of the metric `name` on the units that select. A training time has no units."""
    return name if name in NO_QUALITY else column(name, analysis.criterion.select_by)


def has_values(analysis: Analysis, name: str) -> bool:
    """Whether any completed run has a number for the metric."""
    drawn = drawn_column(analysis, name)
    return drawn in analysis.sweep.metrics and bool(analysis.sweep.completed[drawn].notna().any())


def require(analysis: Analysis, *names: str) -> list[str]:
    """The metrics for which a completed run has a number. Raises NotDrawn where there are none."""
    if analysis.sweep.completed.empty:
        raise NotDrawn("no run has completed")
    found = [name for name in names if has_values(analysis, name)]
    if not found:
        raise NotDrawn(f"no completed run has {' or '.join(names)} {analysis.criterion.units}")
    return found


def datasets(analysis: Analysis) -> list[str]:
    """The data sets that have completed runs, in alphabetical order, at most `MOST_DATASETS`."""
    return sorted(analysis.sweep.completed["dataset"].unique())[:MOST_DATASETS]


def models(analysis: Analysis) -> list[str]:
    """The models that have completed runs, in alphabetical order."""
    return sorted(analysis.sweep.completed["model"].unique())


def distinct(runs: pd.DataFrame, key: str) -> list[object]:
    """The values of a hyperparameter among `runs`, numbers in order, then the rest."""
    values = dict.fromkeys(value for value in runs[key] if not is_absent(value))
    numbers = sorted(value for value in values if is_number(value))
    others = sorted((value for value in values if not is_number(value)), key=str)
    return [*numbers, *others]


def swept_here(runs: pd.DataFrame, key: str) -> bool:
    """Whether `key` took more than one value among `runs`."""
    return key in runs and len({value for value in runs[key] if not is_absent(value)}) > 1


def headline(analysis: Analysis, text: str) -> str:
    """A title: the data set, where it is the only one, what is shown, and on which units."""
    shown = datasets(analysis)
    name = f"{shown[0]}: " if len(shown) == 1 and shown != [NO_NAME] else ""
    return f"{name}{text} {analysis.criterion.units}"


def row_title(ax: Axes, analysis: Analysis, dataset: str) -> None:
    """Name the data set above a panel, unless it is the only one."""
    if len(datasets(analysis)) > 1:
        ax.set_title(dataset, fontsize="medium", fontweight="bold", loc="left")


def basis(analysis: Analysis, explanation: str) -> str:
    """The number of runs, and how to read the plot."""
    number = len(analysis.sweep.completed)
    return f"{number:,} completed run{'s' * (number != 1)}; {explanation}"

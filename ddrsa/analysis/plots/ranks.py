"""Critical difference diagrams: ranks of configurations over seeds and folds."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from ddrsa.analysis.commands import settings
from ddrsa.analysis.configurations import Configurations
from ddrsa.analysis.metrics import metric
from ddrsa.analysis.plots.data import basis, datasets, headline, require
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import OKABE_ITO, head, new_figure
from ddrsa.analysis.read_run import NO_NAME

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

_ALPHA = 0.05
# Friedman's test needs three treatments; with one repeat there is nothing to compare.
_FEWEST, _MOST, _FEWEST_REPEATS = 3, 10, 2
# The width of a name, in letters.
_LETTERS = 34


def critical_difference(analysis: Analysis) -> Drawing:
    """Critical difference diagrams: the mean rank over seeds and folds, and what Nemenyi's test cannot tell apart.

    For each data set the best configuration of each model, where there are three models, and the ten best
    configurations. J. Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006.
    """
    criterion, configurations = analysis.criterion, analysis.configurations
    require(analysis, criterion.metric)
    values = configurations.by_repeat(criterion.column)
    diagrams: list[tuple[str, pd.DataFrame]] = []
    for dataset in datasets(analysis):
        ranked = configurations.ranked(criterion.column, dataset, higher_is_better=criterion.higher_is_better)
        best: dict[Any, int] = {}
        for number in ranked:
            best.setdefault(configurations.table.loc[number, "model"], number)
        name = f"{dataset}: " if len(datasets(analysis)) > 1 else ""
        for what, numbers in (("The best of each model", list(best.values())), ("The best configurations", ranked)):
            if numbers == ranked and what == "The best of each model":
                continue
            table = _blocks(configurations, values, numbers)
            if table is not None:
                diagrams.append((name + what, table))
    if not diagrams:
        raise NotDrawn(
            f"it needs {_FEWEST} configurations of a data set that all have {_FEWEST_REPEATS} seeds or folds in common"
        )
    heights = [1.4 + 0.16 * sum(name.count("\n") + 1 for name in table.columns) for _, table in diagrams]
    figure = new_figure(10.5, 1.0 + sum(heights))
    axes = figure.subplots(len(diagrams), 1, squeeze=False, gridspec_kw={"height_ratios": heights}).ravel()
    said = [
        _draw(ax, name, table, criterion.higher_is_better) for ax, (name, table) in zip(axes, diagrams, strict=True)
    ]
    title = headline(analysis, f"ranks by the {metric(criterion.metric).label}")
    head(
        figure,
        title,
        basis(analysis, "joined by a bar: not told apart by Nemenyi's test at 5 %; CD: critical difference"),
    )
    return Drawing(figure, title, " ".join(said))


def _blocks(
    configurations: Configurations, values: dict[int, dict[tuple[Any, ...], float]], numbers: list[int]
) -> pd.DataFrame | None:
    """A row per repeat that all have, a column per configuration; the first ones that have most repeats in common."""
    chosen: list[int] = []
    repeats: list[tuple[Any, ...]] = []
    for number in numbers:
        shared = [repeat for repeat in repeats if repeat in values[number]] if chosen else list(values[number])
        # One that lacks many repeats would take them from all the others.
        if len(shared) >= max(_FEWEST_REPEATS, len(repeats) / 2) and len(chosen) < _MOST:
            chosen, repeats = [*chosen, number], shared
    if len(chosen) < _FEWEST:
        return None
    names = {number: _name(configurations, number) for number in chosen}
    return pd.DataFrame({names[number]: [values[number][repeat] for repeat in repeats] for number in chosen})


def _name(configurations: Configurations, number: int) -> str:
    values = settings(configurations.values(number))
    return textwrap.fill(
        " ".join([*({str(configurations.table.loc[number, "model"])} - {NO_NAME}), *values]),
        _LETTERS,
        break_on_hyphens=False,
    )


def _draw(ax: Axes, name: str, table: pd.DataFrame, higher_is_better: bool) -> str:
    from scikit_posthocs import critical_difference_diagram, posthoc_nemenyi_friedman
    from scipy.stats import friedmanchisquare, studentized_range

    treatments, blocks = len(table.columns), len(table)
    ranks = table.rank(axis=1, ascending=not higher_is_better).mean()
    pairs = posthoc_nemenyi_friedman(table)
    critical = float(studentized_range.ppf(1 - _ALPHA, treatments, math.inf)) / math.sqrt(2)
    critical *= math.sqrt(treatments * (treatments + 1) / (6 * blocks))
    p = float(friedmanchisquare(*(table[column] for column in table)).pvalue)
    artists = critical_difference_diagram(
        ranks,
        pairs,
        alpha=_ALPHA,
        ax=ax,
        label_fmt_left="{label}  ({rank:.2f})",
        label_fmt_right="({rank:.2f})  {label}",
        label_props={"fontsize": "small"},
        marker_props={"color": OKABE_ITO[0], "s": 22},
        elbow_props={"color": "0.45", "linewidth": 1},
        crossbar_props={"color": OKABE_ITO[4], "linewidth": 3.5, "solid_capstyle": "butt"},
    )
    for text in artists["labels"]:
        text.set_color("black")
    ax.set_xlim(0.8, treatments + 0.2)
    ax.set_xticks(range(1, treatments + 1))
    ax.set_xlabel("Mean rank over seeds and folds (1: best)", fontsize="small")
    ax.xaxis.set_label_position("top")
    told = f"Friedman p = {p:.2g}" if p == p else "Friedman: all alike"  # NaN where all ranks are tied
    sizes = f"{blocks} repeats, CD = {critical:.2f}"
    few = "; with so few repeats it tells little" if blocks < 5 else ""
    ax.set_title(f"{name}; {told}, {sizes}{few}", fontsize="medium", loc="left")
    order = ", ".join(f"{' '.join(str(label).split())} {rank:.2f}" for label, rank in ranks.sort_values().items())
    return f"{name}: mean ranks {order}; {told}, {sizes}."

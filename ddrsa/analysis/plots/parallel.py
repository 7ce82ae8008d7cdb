"""Parallel coordinates: all hyperparameters, a line per configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from ddrsa.analysis.commands import hydra_value
from ddrsa.analysis.configurations import is_absent
from ddrsa.analysis.edges import is_logarithmic, is_numeric
from ddrsa.analysis.metrics import metric
from ddrsa.analysis.plots.data import basis, datasets, distinct, headline, require, row_title
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.panels import MOST_TICKS
from ddrsa.analysis.plots.style import SCALE, grid_of_axes, head, jitter, new_figure
from ddrsa.texts import count_of

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

_MOST_AXES = 10
# More lines than this are a surface. The best are drawn all, of the others an even choice by rank.
_MOST_LINES, _MOST_BEST = 400, 100


def parallel_coordinates(analysis: Analysis) -> Drawing:
    """An axis per hyperparameter and one for the metric; a line per configuration, bright where it is good."""
    criterion = analysis.criterion
    require(analysis, criterion.metric)
    configurations = analysis.configurations
    drawn = {}
    for dataset in datasets(analysis):
        ranked = configurations.ranked(criterion.column, dataset, higher_is_better=criterion.higher_is_better)
        table = configurations.table.loc[_choice(ranked)]
        keys = [key for key in ("model", *analysis.sweep.hyperparameters) if len(distinct(table, key)) > 1]
        if keys and len(table) > 1:
            drawn[dataset] = (table, keys[:_MOST_AXES], len(ranked))
    if not drawn:
        raise NotDrawn("it needs two configurations or more with a result")
    most = max(len(keys) for _, keys, _ in drawn.values()) + 1
    figure = new_figure(max(7.0, 1.9 * most + 1), 1.4 + 4.0 * len(drawn))
    notes = []
    for ax, (dataset, (table, keys, total)) in zip(grid_of_axes(figure, len(drawn), 1), drawn.items(), strict=True):
        values = configurations.means.loc[table.index, criterion.column].to_numpy(float)
        _draw(ax, table, keys, values, criterion.metric, criterion.higher_is_better)
        row_title(ax, analysis, dataset)
        if total > len(table):
            notes.append(f"{len(table)} of {count_of(total, 'configuration')} of {dataset}")
    title = headline(analysis, "configurations and their results")
    note = f"; {', '.join(notes)}" if notes else ""
    head(
        figure,
        title,
        basis(analysis, f"line: one configuration, mean over seeds and folds; thick and black-edged: the best{note}"),
    )
    text = (
        f"Parallel coordinates of {', '.join(dict.fromkeys(key for _, keys, _ in drawn.values() for key in keys))} and "
    )
    return Drawing(figure, title, f"{text}the {metric(criterion.metric).label}, a line for each configuration.")


def _choice(ranked: list[int]) -> list[int]:
    if len(ranked) <= _MOST_LINES:
        return ranked
    rest = ranked[_MOST_BEST:]
    others = [rest[round(k)] for k in np.linspace(0, len(rest) - 1, _MOST_LINES - _MOST_BEST)]
    return [*ranked[:_MOST_BEST], *dict.fromkeys(others)]


def _draw(ax: Axes, table: pd.DataFrame, keys: list[str], values: NDArray[np.float64], name: str, higher: bool) -> None:
    columns = [_place(ax, i, table, key) for i, key in enumerate(keys)]
    low, high = float(values.min()), float(values.max())
    # The colours are spread over the better part: one that diverged takes no more than the last.
    ends = (float(np.quantile(values, 0.1)), high) if higher else (low, float(np.quantile(values, 0.9)))
    scale = Normalize(ends[0], ends[1], clip=True)
    result = np.clip((values - ends[0]) / ((ends[1] - ends[0]) or 1.0), 0, 1)
    columns.append(result if higher else 1 - result)
    _axis(
        ax,
        len(keys),
        np.array([0.0, 0.5, 1.0]),
        [f"{value:.4g}" for value in np.linspace(ends[not higher], ends[higher], 3)],
    )
    lines = np.stack([np.tile(np.arange(len(columns), dtype=float), (len(table), 1)), np.column_stack(columns)], axis=2)
    colours = mpl.colormaps[SCALE if higher else f"{SCALE}_r"](scale(values))
    many = len(table) > 60
    # The table is in the order of the ranks: the best are drawn last.
    ax.add_collection(
        LineCollection(
            lines[::-1].tolist(),
            colors=colours[::-1],
            linewidths=1.0 if many else 1.8,
            alpha=0.6 if many else 0.9,
            zorder=2,
        )
    )
    ax.add_collection(LineCollection([lines[0].tolist()], colors="black", linewidths=6, zorder=5))
    ax.add_collection(LineCollection([lines[0].tolist()], colors=colours[:1], linewidths=3.2, zorder=6))
    ax.set_xlim(-0.25, len(keys) + 0.25)
    ax.set_ylim(-0.06, 1.06)
    ax.set_xticks(range(len(keys) + 1), [*keys, metric(name).axis()], fontsize="small")
    ax.tick_params(axis="x", length=0)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _place(ax: Axes, position: int, table: pd.DataFrame, key: str) -> NDArray[np.float64]:
    """The height of each configuration on the axis of `key`, 0 to 1; one that does not have it lies below, at 0."""
    values = distinct(table, key)
    present = np.array([not is_absent(value) for value in table[key]])
    base = 0.0 if present.all() else 0.1
    heights = np.zeros(len(table))
    if is_numeric(values):
        numbers = np.array([float(value) for value in values])  # type: ignore[arg-type]
        logarithmic = is_logarithmic(numbers.tolist())
        scaled = np.log(numbers) if logarithmic else numbers
        own = np.array([float(value) for value in table.loc[present, key]])
        own = np.log(own) if logarithmic else own
        span = (scaled[-1] - scaled[0]) or 1.0
        heights[present] = base + (1 - base) * (own - scaled[0]) / span
        ticks = scaled if len(values) <= MOST_TICKS else np.linspace(scaled[0], scaled[-1], 5)
        labels = [f"{value:.3g}" for value in (np.exp(ticks) if logarithmic else ticks)]
        places = base + (1 - base) * (ticks - scaled[0]) / span
    else:
        places = base + (1 - base) * np.linspace(0, 1, max(len(values), 1))
        order = dict(zip(map(str, values), places, strict=True))
        heights[present] = [order[str(value)] for value in table.loc[present, key]]
        labels = [hydra_value(value)[:16] for value in values]
    if not present.all():
        places, labels = np.append(places, 0.0), [*labels, "(none)"]
    # Side by side, so that lines through one value can be followed.
    if len(values) <= MOST_TICKS:
        heights = heights + jitter(len(table), 0.03)
    _axis(ax, position, np.asarray(places), labels)
    return heights


def _axis(ax: Axes, position: int, places: NDArray[np.float64], labels: list[str]) -> None:
    ax.axvline(position, color="0.4", linewidth=1, zorder=3)
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}
    for place, label in zip(places, labels, strict=True):
        ax.plot([position], [place], marker="_", color="0.2", markersize=7, zorder=7)
        ax.text(position + 0.03, float(place), label, fontsize="small", va="center", bbox=box, zorder=8)

"""Heatmaps: a metric over two hyperparameters."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ddrsa.analysis.edges import is_logarithmic
from ddrsa.analysis.metrics import metric
from ddrsa.analysis.plots.data import basis, datasets, drawn_column, headline, models, require, swept_here
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import SCALE, grid_of_axes, head, new_figure

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

_X, _Y = "learning_rate", "batch_size"

# More values than this on an axis are put into so many classes of equal width.
_MOST_CELLS = 6
_MOST_ROWS = 12


def hyperparameter_heatmap(analysis: Analysis) -> Drawing:
    """MAE and concordance index by batch size and learning rate: the mean of the runs in each cell, a row per model."""
    completed = analysis.sweep.completed
    if completed.empty:
        raise NotDrawn("no run has completed")
    missing = [key for key in (_Y, _X) if not swept_here(completed, key)]
    if missing:
        raise NotDrawn(f"{' and '.join(missing)} {'was' if len(missing) == 1 else 'were'} not swept")
    found = require(analysis, "rul_mae", "concordance_index")
    rows = []
    for dataset in datasets(analysis):
        for model in models(analysis):
            runs = completed[(completed["dataset"] == dataset) & (completed["model"] == model)]
            if not runs.empty:
                rows.append((dataset, model, runs))
    rows = rows[:_MOST_ROWS]
    several = len(datasets(analysis)) > 1

    classes = {key: _classes(completed[key].astype(float)) for key in (_X, _Y)}
    tables = {
        (i, name): _cells(runs, drawn_column(analysis, name), classes[_X], classes[_Y])
        for i, (_, _, runs) in enumerate(rows)
        for name in found
    }
    x_count = max(len(mean.columns) for mean, _, _ in tables.values())
    y_count = max(len(mean.index) for mean, _, _ in tables.values())
    figure = new_figure(max(6.4, len(found) * (1.8 + 0.85 * x_count)), 1.2 + len(rows) * (0.9 + 0.55 * y_count))
    axes = grid_of_axes(figure, len(rows), len(found))
    for column, name in enumerate(found):
        higher = metric(name).higher_is_better
        means = np.concatenate(
            [mean.to_numpy(float).ravel() for (_, other), (mean, _, _) in tables.items() if other == name]
        )
        # One cell that diverged takes no more than the last colour.
        low, high = np.nanquantile(means, [0.1, 1.0] if higher else [0.0, 0.9]).tolist()
        # Two digits of what the cells differ by.
        decimals = max(0, 1 - math.floor(math.log10((high - low) / 2))) if high > low else 3
        scale = Normalize(low, high if high > low else low + 1e-9)
        # Bright is better in both.
        colours = mpl.colormaps[SCALE if higher else f"{SCALE}_r"]
        for i, (dataset, model, _) in enumerate(rows):
            ax = axes[i * len(found) + column]
            _draw_cells(ax, *tables[i, name], scale, colours, decimals)
            ax.set_title(f"{dataset}: {model}" if several else model, fontsize="medium", fontweight="bold", loc="left")
            ax.set_ylabel("Batch size (windows)")
            if i == len(rows) - 1:
                ax.set_xlabel("Learning rate")
        drawn = [axes[i * len(found) + column] for i in range(len(rows))]
        bar = figure.colorbar(
            mpl.cm.ScalarMappable(scale, colours), ax=drawn, extend="min" if higher else "max", aspect=15 * len(rows),
            fraction=0.05, pad=0.01,
        )  # fmt: skip
        bar.set_label(metric(name).axis())
    title = headline(analysis, "batch size by learning rate")
    head(
        figure,
        title,
        basis(analysis, "cell: mean ± standard deviation of its runs, n: how many; bright: better; hatched: no run"),
    )
    labels = " and ".join(metric(name).label for name in found)
    return Drawing(figure, title, f"Heat maps of the mean {labels} by batch size and learning rate, for each model.")


def _cells(
    runs: pd.DataFrame, column: str, x: pd.Series, y: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The mean, the deviation and the number of runs by batch size (rows) and learning rate (columns)."""
    known = runs.dropna(subset=[column])
    groups = known[column].groupby([y[known.index], x[known.index]], observed=False)
    return tuple(
        getattr(groups, statistic)().unstack().reindex(index=y.cat.categories, columns=x.cat.categories)
        for statistic in ("mean", "std", "count")
    )


def _classes(values: pd.Series) -> pd.Series:
    """Each value's class: itself, or where there are many the range that it lies in."""
    distinct = sorted(values.dropna().unique())
    if len(distinct) <= _MOST_CELLS:
        names = [f"{value:.4g}" for value in distinct]
        return pd.Series(pd.Categorical([f"{value:.4g}" for value in values], names), index=values.index)
    low, high = distinct[0], distinct[-1]
    edges = (
        np.geomspace(low, high, _MOST_CELLS + 1)
        if is_logarithmic(distinct)
        else np.linspace(low, high, _MOST_CELLS + 1)
    )
    edges[0], edges[-1] = low, high
    names = [f"{a:.2g}\nto {b:.2g}" for a, b in itertools.pairwise(edges)]
    return pd.cut(values, edges.tolist(), labels=names, include_lowest=True, ordered=True)


def _draw_cells(
    ax: Axes,
    mean: pd.DataFrame,
    deviation: pd.DataFrame,
    count: pd.DataFrame,
    scale: Normalize,
    colours: mpl.colors.Colormap,
    decimals: int,
) -> None:
    values, spreads, counts = mean.to_numpy(float), deviation.to_numpy(float), count.to_numpy(float)
    ax.set_facecolor("0.95")
    ax.patch.set_hatch("///")
    ax.patch.set_edgecolor("0.8")
    ax.pcolormesh(np.ma.masked_invalid(values), norm=scale, cmap=colours, edgecolors="white", linewidth=1.5)
    ax.set_xticks(np.arange(len(mean.columns)) + 0.5, mean.columns.astype(str), fontsize="small")
    ax.set_yticks(np.arange(len(mean.index)) + 0.5, mean.index.astype(str), fontsize="small")
    ax.tick_params(length=0)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if np.isnan(value):
                continue
            spread = float(spreads[i, j])
            text = f"{value:.{decimals}f}" + ("" if np.isnan(spread) else f"\n± {spread:.{decimals}f}")
            red, green, blue, _ = colours(scale(value))
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
            ax.text(
                j + 0.5,
                i + 0.5,
                f"{text}, n={int(counts[i, j])}",
                ha="center",
                va="center",
                fontsize="x-small",
                color="white" if dark else "black",
            )

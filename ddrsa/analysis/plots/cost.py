"""Quality against its cost: the training time, or the number of weights."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddrsa.analysis.commands import settings
from ddrsa.analysis.metrics import metric, time_unit
from ddrsa.analysis.plots.data import basis, datasets, drawn_column, headline, models, require, row_title
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import (
    MOST_VECTOR_POINTS,
    grid_of_axes,
    head,
    legend_below,
    limit,
    logarithmic,
    looks,
    model_handles,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ddrsa.analysis.analysis import Analysis

_COST, _QUALITY = "training_time_seconds", "rul_mae"

# More configurations than this have no error bars: they would cover the points.
_MOST_ERROR_BARS = 60
_MOST_NAMED = 6
# Points that differ by less, in the logarithm of the cost and in the share of the front's height, lie together.
_NEAR = 0.1
# The width of their names beside the axes.
_LETTERS = 36


def pareto_front(cost: NDArray[np.float64], error: NDArray[np.float64]) -> list[int]:
    """The points that no other beats in one without losing in the other, lower being better; by rising cost.

    Of equal points, the first.
    """
    front: list[int] = []
    for i in np.lexsort((np.arange(len(cost)), error, cost)).tolist():
        if not front or error[i] < error[front[-1]]:
            front.append(i)
    return front


def cost_quality(analysis: Analysis) -> Drawing:
    """Training time against MAE, a point per configuration, with those that no other beats in both joined by a line."""
    require(analysis, _QUALITY)
    if require(analysis, _COST, _QUALITY)[0] != _COST:
        raise NotDrawn(f"no completed run has {_COST}")
    rows = datasets(analysis)
    names = looks(models(analysis))
    figure = new_figure(9.0, 1.4 + 4.2 * len(rows))
    found = []
    for ax, dataset in zip(grid_of_axes(figure, len(rows), 1), rows, strict=True):
        found += _draw(ax, analysis, dataset)
        row_title(ax, analysis, dataset)
    title = headline(analysis, "quality against cost")
    head(
        figure,
        title,
        basis(
            analysis, "point: one configuration, mean ± standard deviation over seeds and folds; line: the Pareto front"
        ),
    )
    legend_below(figure, model_handles(names))
    text = f"Training time in seconds against the MAE of the RUL ({time_unit()}). The Pareto front, from the cheapest: "
    return Drawing(figure, title, f"{text}{'; '.join(found)}.")


def _draw(ax: Axes, analysis: Analysis, dataset: str) -> list[str]:
    configurations, column = analysis.configurations, drawn_column(analysis, _QUALITY)
    names = looks(models(analysis))
    means = configurations.means[[_COST, column]][configurations.table["dataset"] == dataset].dropna()
    cost, error = means[_COST].to_numpy(float), means[column].to_numpy(float)
    own_models = configurations.table.loc[means.index, "model"]
    many = len(means) > MOST_VECTOR_POINTS
    for model, look in names.items():
        chosen = means.index[own_models == model]
        if chosen.empty:
            continue
        if len(means) <= _MOST_ERROR_BARS:
            spread = configurations.deviations.loc[chosen, [_COST, column]].fillna(0.0)
            ax.errorbar(
                means.loc[chosen, _COST], means.loc[chosen, column], xerr=spread[_COST], yerr=spread[column],
                linestyle="", color=look.colour, alpha=0.45, linewidth=1, zorder=2,
            )  # fmt: skip
        ax.scatter(
            means.loc[chosen, _COST], means.loc[chosen, column], s=8 if many else 36, color=look.colour,
            marker=look.marker,
            edgecolor="none" if many else "black", linewidth=0.5, alpha=0.4 if many else 1, rasterized=many, zorder=3,
        )  # fmt: skip
    front = pareto_front(cost, error)
    ax.step(cost[front], error[front], where="post", color="black", linewidth=1.2, zorder=1)
    # Evenly chosen where there are many.
    shown = (
        front if len(front) <= _MOST_NAMED else [front[round(k)] for k in np.linspace(0, len(front) - 1, _MOST_NAMED)]
    )
    said, previous, shift = [], None, 5
    for label, i in zip("ABCDEF", shown, strict=False):
        number = means.index[i]
        # Two that lie together have their letters side by side.
        together = (
            previous is not None
            and abs(math.log(cost[i] / cost[previous])) < _NEAR
            and abs(error[i] - error[previous]) < _NEAR * (error[shown[0]] - error[shown[-1]])
        )
        shift = shift + 11 if together else 5
        previous = i
        ax.annotate(
            label,
            (cost[i], error[i]),
            (-shift, -5),
            textcoords="offset points",
            ha="right",
            va="top",
            fontweight="bold",
        )
        values = [str(configurations.table.loc[number, "model"]), *settings(configurations.values(number))]
        said.append(f"{label}  {' '.join(values)}")
    ax.text(
        1.02,
        1.0,
        "Pareto front\n\n" + "\n".join(textwrap.fill(line, _LETTERS, subsequent_indent="    ") for line in said),
        transform=ax.transAxes,
        va="top",
        fontsize="small",
    )
    ax.set_xscale("log")
    logarithmic(ax.xaxis)
    ax.set_xlabel("Training time (seconds, logarithmic)")
    ax.set_ylabel(metric(_QUALITY, dataset).axis())
    limit(ax, error)
    tidy(ax, "both")
    return said

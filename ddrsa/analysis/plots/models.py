"""Comparison of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from ddrsa.analysis.metrics import SCRIPT, metric
from ddrsa.analysis.plots.data import basis, datasets, drawn_column, headline, models, require, row_title
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import (
    MOST_VECTOR_POINTS,
    Look,
    grid_of_axes,
    head,
    jitter,
    limit,
    looks,
    new_figure,
    tidy,
)
from ddrsa.analysis.read_run import NO_NAME

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

# With fewer points a box says more than they do.
_FEWEST_FOR_A_BOX = 3


def model_comparison(analysis: Analysis) -> Drawing:
    """Boxes with the runs as points over them, by model, a row per data set.

    Of the criterion that names the best, the likelihood, MAE, RMSE and concordance index; of tasks that have no such
    metrics of the criterion alone.
    A box shows the quartiles, its whiskers reach the most distant runs.
    """
    chosen = analysis.criterion.metric
    if models(analysis) == [NO_NAME]:
        raise NotDrawn("the runs name no model")
    of_models = () if analysis.criterion.select_by == SCRIPT else ("nll", "rul_mae", "rul_rmse", "concordance_index")
    panels = require(analysis, *dict.fromkeys((chosen, *of_models)))
    completed, names = analysis.sweep.completed, looks(models(analysis))
    rows = datasets(analysis)
    width = max(6.0, len(panels) * max(3.2, 1.15 * len(names)))
    figure = new_figure(width, 1.2 + 3.4 * len(rows))
    axes = iter(grid_of_axes(figure, len(rows), len(panels)))
    for dataset in rows:
        runs = completed[completed["dataset"] == dataset]
        for name in panels:
            ax = next(axes)
            _draw_models(ax, runs, drawn_column(analysis, name), names)
            ax.set_ylabel(metric(name, dataset).axis())
            row_title(ax, analysis, dataset)
    title = headline(analysis, "results by model")
    head(figure, title, basis(analysis, "point: one run; line: median; box: quartiles; whiskers: range"))
    labels = " and ".join(metric(name).label for name in panels)
    return Drawing(
        figure, title, f"Box plots of {labels} for {', '.join(names)}, with a point for every completed run."
    )


def _draw_models(ax: Axes, runs: pd.DataFrame, name: str, names: dict[str, Look]) -> None:
    present = [model for model in names if model in set(runs["model"])]
    counts = []
    for position, model in enumerate(present):
        look = names[model]
        values = runs.loc[runs["model"] == model, name].dropna().to_numpy(float)
        counts.append(len(values))
        if len(values) >= _FEWEST_FOR_A_BOX:
            ax.boxplot(
                [values],
                positions=[position],
                widths=0.55,
                whis=(0, 100),
                patch_artist=True,
                boxprops={"facecolor": to_rgba(look.colour, 0.3), "edgecolor": "0.25"},
                medianprops={"color": "black", "linewidth": 2},
                whiskerprops={"color": "0.25"},
                capprops={"color": "0.25"},
                zorder=4 if len(values) > MOST_VECTOR_POINTS else 2,
            )
        many = len(values) > MOST_VECTOR_POINTS
        ax.scatter(
            position + jitter(len(values), 0.36),
            values,
            s=4 if many else 18,
            color=look.colour,
            marker=look.marker,
            edgecolor="none" if many else "black",
            alpha=0.2 if many else 1.0,
            linewidth=0.5,
            zorder=3,
            rasterized=many,
        )
    ax.set_xticks(
        range(len(present)), [f"{model}\nn={number:,}" for model, number in zip(present, counts, strict=True)]
    )
    ax.set_xlim(-0.6, len(present) - 0.4)
    ax.set_xlabel("Model")
    ax.ticklabel_format(axis="y", useOffset=False)
    limit(ax, runs[name].to_numpy(float))
    tidy(ax)

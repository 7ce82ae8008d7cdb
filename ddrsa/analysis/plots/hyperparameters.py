"""Effect plots: metrics against each hyperparameter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from ddrsa.analysis.metrics import metric
from ddrsa.analysis.plots.data import basis, datasets, drawn_column, headline, models, require, row_title, swept_here
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.panels import HOW_TO_READ, MOST_TICKS, draw_panel
from ddrsa.analysis.plots.style import grid_of_axes, head, legend_below, limit, looks, model_handles, new_figure, tidy

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

_MOST_HYPERPARAMETERS = 12
_COLUMNS = 4

_SEARCH = "point: one run; large, with a line: median of neighbouring runs"


def rul_mae_vs_hyperparameters(analysis: Analysis) -> Drawing:
    """The MAE against each swept hyperparameter."""
    return _versus_hyperparameters(analysis, "rul_mae")


def rul_rmse_vs_hyperparameters(analysis: Analysis) -> Drawing:
    """The RMSE against each swept hyperparameter."""
    return _versus_hyperparameters(analysis, "rul_rmse")


def concordance_index_vs_hyperparameters(analysis: Analysis) -> Drawing:
    """The concordance index against each swept hyperparameter."""
    return _versus_hyperparameters(analysis, "concordance_index")


def batch_size_analysis(analysis: Analysis) -> Drawing:
    """Four panels against the batch size: MAE, RMSE, concordance index and training time."""
    return _one_hyperparameter(
        analysis, "batch_size", ["rul_mae", "rul_rmse", "concordance_index", "training_time_seconds"], "Batch size"
    )


def learning_rate_analysis(analysis: Analysis) -> Drawing:
    """MAE, RMSE and concordance index against the learning rate, on a logarithmic axis."""
    names = ["rul_mae", "rul_rmse", "concordance_index"]
    return _one_hyperparameter(analysis, "learning_rate", names, "Learning rate", scale=True)


def nasa_loss_impact(analysis: Analysis) -> Drawing:
    """The NASA score, the MAE and the RMSE against the weight of NASA's penalty in the loss."""
    names = ["nasa_score", "rul_mae", "rul_rmse"]
    return _one_hyperparameter(analysis, "nasa_weight", names, "Weight of the NASA penalty")


def _versus_hyperparameters(analysis: Analysis, name: str) -> Drawing:
    require(analysis, name)
    completed = analysis.sweep.completed
    panels = [
        (dataset, key)
        for dataset in datasets(analysis)
        for key in analysis.sweep.hyperparameters
        if swept_here(completed[completed["dataset"] == dataset], key)
    ]
    if not panels:
        raise NotDrawn("no hyperparameter but the model, the data set and the repeats was swept")
    keys = list(dict.fromkeys(key for _, key in panels))
    panels = [panel for panel in panels if panel[1] in keys[:_MOST_HYPERPARAMETERS]]
    per_dataset = min(len(keys), _MOST_HYPERPARAMETERS)
    columns = per_dataset if per_dataset <= _COLUMNS else math.ceil(per_dataset / math.ceil(per_dataset / _COLUMNS))
    rows = math.ceil(len(panels) / columns)
    names = looks(models(analysis))
    figure = new_figure(max(6.4, 3.5 * columns), 1.6 + 3.1 * rows)
    for ax, (dataset, key) in zip(grid_of_axes(figure, rows, columns, len(panels)), panels, strict=True):
        runs = completed[completed["dataset"] == dataset]
        column = drawn_column(analysis, name)
        draw_panel(ax, runs, key, column, names)
        limit(ax, runs[column].to_numpy(float))
        ax.set_ylabel(metric(name, dataset).axis())
        row_title(ax, analysis, dataset)
        tidy(ax)
    title = headline(analysis, f"{metric(name).label} by hyperparameter")
    head(figure, title, basis(analysis, _how_to_read(completed, keys)))
    legend_below(figure, model_handles(names, lines=True))
    left = f" The first {_MOST_HYPERPARAMETERS} of {len(keys)} are shown." if len(keys) > _MOST_HYPERPARAMETERS else ""
    text = (
        f"{metric(name).label} against {', '.join(keys[:_MOST_HYPERPARAMETERS])}, by model ({', '.join(names)}).{left}"
    )
    return Drawing(figure, title, text)


def _one_hyperparameter(analysis: Analysis, key: str, wanted: list[str], label: str, *, scale: bool = False) -> Drawing:
    completed = analysis.sweep.completed
    if completed.empty:
        raise NotDrawn("no run has completed")
    rows = [dataset for dataset in datasets(analysis) if swept_here(completed[completed["dataset"] == dataset], key)]
    if not rows:
        raise NotDrawn(f"{key} was not swept")
    found = require(analysis, *wanted)
    names = looks(models(analysis))
    figure = new_figure(max(6.4, 3.4 * len(found)), 1.5 + 3.2 * len(rows))
    axes = iter(grid_of_axes(figure, len(rows), len(found)))
    for dataset in rows:
        runs = completed[completed["dataset"] == dataset]
        for name in found:
            ax = next(axes)
            column = drawn_column(analysis, name)
            draw_panel(ax, runs, key, column, names, scale=scale)
            limit(ax, runs[column].to_numpy(float))
            ax.set_ylabel(metric(name, dataset).axis())
            ax.set_xlabel(f"{label}{' (logarithmic)' if ax.get_xscale() == 'log' else ''}")
            row_title(ax, analysis, dataset)
            tidy(ax)
    title = headline(analysis, f"effect of the {label[0].lower()}{label[1:]}")
    head(figure, title, basis(analysis, _how_to_read(completed, [key])))
    legend_below(figure, model_handles(names, lines=True))
    labels = ", ".join(metric(name).label for name in found)
    return Drawing(figure, title, f"{labels} against {key}, by model ({', '.join(names)}).")


def _how_to_read(runs: pd.DataFrame, keys: list[str]) -> str:
    drawn_as_search = [runs[key].nunique() > MOST_TICKS for key in keys]
    if all(drawn_as_search):
        return _SEARCH
    return (
        HOW_TO_READ if not any(drawn_as_search) else f"{HOW_TO_READ}; of many values, the median of neighbouring runs"
    )

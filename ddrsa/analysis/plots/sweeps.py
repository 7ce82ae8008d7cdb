"""Comparison of sweeps, run by run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ddrsa.analysis.metrics import metric
from ddrsa.analysis.plots.data import basis, drawn_column, headline
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import OKABE_ITO, grid_of_axes, head, new_figure, tidy

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

_METRICS = ("rul_mae", "rul_rmse", "concordance_index", "nasa_score", "training_time_seconds")
_MOST_ROWS = 24


def sweep_comparison(analysis: Analysis) -> Drawing:
    """The change from one sweep to the other: the mean difference of the runs that both have, by data set and model."""
    table = analysis.tables.get("sweep_comparison")
    if table is None:
        raise NotDrawn("the sweeps have no run in common, so they are read as parts of one")
    panels = []
    for name in dict.fromkeys([*_METRICS, analysis.criterion.metric]):
        rows = table[table["metric"] == drawn_column(analysis, name)]
        if not rows.empty:
            panels.append((name, rows.head(_MOST_ROWS)))
    if not panels:
        raise NotDrawn("no run has completed in both sweeps")
    columns = min(len(panels), 3)
    lines = max(len(rows) for _, rows in panels)
    grid_rows = math.ceil(len(panels) / columns)
    figure = new_figure(4.6 * columns, 1.4 + grid_rows * (1.2 + 0.5 * lines))
    for ax, (name, rows) in zip(grid_of_axes(figure, grid_rows, columns, len(panels)), panels, strict=True):
        for i, row in enumerate(rows.to_dict("records")):
            known = math.isfinite(row["ci_low"])
            reach = [[row["difference"] - row["ci_low"]], [row["ci_high"] - row["difference"]]] if known else None
            ax.errorbar(
                [row["difference"]], [i], xerr=reach, color=OKABE_ITO[0], marker="o", capsize=4, markeredgecolor="black"
            )
        ax.axvline(0, color="black", linewidth=1)
        names = [
            f"{row['dataset']}, {row['model']}\n{row['after']} minus {row['before']}, n = {row['n']}"
            for row in rows.to_dict("records")
        ]
        ax.set_yticks(np.arange(len(rows)), names, fontsize="small")
        ax.set_ylim(len(rows) - 0.5, -0.5)
        unit = metric(name).unit
        better = "right" if metric(name).higher_is_better else "left"
        ax.set_xlabel(
            f"{metric(name).label}: difference{f' ({unit})' if unit else ''}\n{better} of zero: the later is better"
        )
        tidy(ax, "x")
    title = headline(analysis, "sweeps compared")
    head(
        figure,
        title,
        basis(analysis, "mean difference of the same runs in both sweeps; line: 95 % interval (paired t)"),
    )
    return Drawing(figure, title, "Mean differences between the sweeps, with 95 % intervals, by data set and model.")

"""Curves of the validation loss over the epochs."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ddrsa.analysis.commands import run_of
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import OKABE_ITO, grid_of_axes, head, legend_below, new_figure, tidy
from ddrsa.rundir.epoch_rows import read_rows
from ddrsa.rundir.states import State
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.texts import count_of

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

log = logging.getLogger(__name__)

_STATES = (State.COMPLETED, State.PRUNED, State.RUNNING)
# More lines than this in a panel are a surface: the completed ones become a band, of the others some are drawn.
_MOST_LINES = 60
_MOST_PANELS, _COLUMNS = 12, 3

_DONE, _PRUNED, _RUNNING, _BEST = OKABE_ITO[3], OKABE_ITO[4], OKABE_ITO[6], OKABE_ITO[5]

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def training_curves(analysis: Analysis) -> Drawing:
    """The validation loss by epoch, a panel per data set and model; pruned runs and the best are marked."""
    runs = analysis.sweep.runs
    runs = runs[runs["state"].isin(_STATES)]
    best = {
        directory for answer in analysis.answers if answer.best is not None for directory in answer.best.directories
    }
    panels: dict[tuple[str, str], dict[str, list[Curve]]] = {}
    for (dataset, model), part in runs.groupby(["dataset", "model"]):
        curves: dict[str, list[Curve]] = {}
        for directory, state in zip(part["directory"], part["state"], strict=True):
            curve = read_curve(TrainingDirectory(run_of(directory, analysis.sweep.path).path).training_log)
            if curve is not None:
                curves.setdefault("best" if directory in best else state, []).append(curve)
        if curves:
            panels[str(dataset), str(model)] = curves
    if not panels:
        raise NotDrawn("no completed, pruned or running run has an epoch in its training_log.csv")
    shown = dict(list(panels.items())[:_MOST_PANELS])
    columns = min(len(shown), _COLUMNS)
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(max(6.4, 4.2 * columns), 1.6 + 3.3 * rows)
    several = len({dataset for dataset, _ in panels}) > 1
    band = False
    for ax, ((dataset, model), curves) in zip(
        grid_of_axes(figure, rows, columns, len(shown)), shown.items(), strict=True
    ):
        band |= _draw(ax, curves)
        sizes = {state: len(curves.get(state, [])) for state in _STATES}
        sizes[State.COMPLETED] += len(curves.get("best", []))
        counts = ", ".join(f"{size:,} {state}" for state, size in sizes.items() if size)
        ax.set_title(f"{f'{dataset}: ' if several else ''}{model}", fontsize="medium", fontweight="bold", loc="left")
        ax.set_title(counts, fontsize="x-small", loc="right", color="0.3")
    states = {state for curves in shown.values() for state in curves}
    name = "" if several else f"{next(iter(panels))[0]}: "
    title = f"{name}validation loss by epoch, {len(runs):,} run{'s' * (len(runs) > 1)}"
    text = "line: one run" + ("; line and band: median, 10 to 90 % of the completed runs" if band else "")
    head(
        figure,
        title,
        text + (f"; the first {_MOST_PANELS} of {count_of(len(panels), 'model')}" if len(panels) > len(shown) else ""),
    )
    legend_below(figure, [handle for state, handle in _handles().items() if state in states])
    pruned = sum(len(curves.get("pruned", [])) for curves in panels.values())
    return Drawing(figure, title, f"Validation loss against the epoch, by model. Pruned: {count_of(pruned, 'run')}.")


def read_curve(path: Path) -> Curve | None:
    """The epochs and validation losses of a training_log.csv; None where there is no whole row."""
    try:
        rows, damaged = read_rows(path)
    except ValueError as error:
        log.warning("%s", error)
        return None
    if damaged:
        # A process that was killed may have left half a row, until the run goes on.
        log.warning("%s: damaged rows are left out, line %s", path, ", ".join(map(str, damaged)))
    found = [(int(row["epoch"]), float(row["validation_loss"])) for row in rows]
    found = [(epoch, loss) for epoch, loss in found if math.isfinite(loss)]
    return (np.array([epoch for epoch, _ in found], float), np.array([loss for _, loss in found])) if found else None


def _handles() -> dict[str, Line2D]:
    return {
        "best": Line2D([], [], color=_BEST, linewidth=2.2, label="best configuration"),
        "completed": Line2D([], [], color=_DONE, linewidth=1.2, label="completed"),
        "pruned": Line2D([], [], color=_PRUNED, linestyle="--", marker="X", markevery=[1], label="pruned, X: where"),
        "running": Line2D([], [], color=_RUNNING, linestyle=":", marker=">", markevery=[1], label="still running"),
    }


def _draw(ax: Axes, curves: dict[str, list[Curve]]) -> bool:
    """Whether the completed runs became a band."""
    completed = curves.get("completed", [])
    band = len(completed) > _MOST_LINES
    if band:
        _draw_band(ax, completed)
    else:
        for epochs, losses in completed:
            ax.plot(epochs, losses, color=_DONE, linewidth=1, alpha=0.9, zorder=2)
    for state, colour, line, marker in (("pruned", _PRUNED, "--", "X"), ("running", _RUNNING, ":", ">")):
        found = curves.get(state, [])
        step = max(1, math.ceil(len(found) / _MOST_LINES))
        for epochs, losses in found[::step]:
            ax.plot(epochs, losses, color=colour, linestyle=line, linewidth=1, alpha=0.8, zorder=3)
            ax.plot(
                epochs[-1:],
                losses[-1:],
                color=colour,
                marker=marker,
                markersize=6,
                markeredgecolor="black",
                markeredgewidth=0.4,
                zorder=4,
            )
    best = curves.get("best", [])
    for epochs, losses in best:
        ax.plot(
            epochs,
            losses,
            color=_BEST,
            linewidth=2.2 if len(best) <= 5 else 1.0,
            marker="." if len(epochs) == 1 else None,
            zorder=5,
        )
    _scale(ax, np.concatenate([losses for found in curves.values() for _, losses in found]))
    ax.set_xlabel("Epoch")
    ax.set_ylabel("Validation loss\n(nats per window)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(ax)
    return band


def _draw_band(ax: Axes, curves: list[Curve]) -> None:
    last = int(max(epochs[-1] for epochs, _ in curves))
    table = np.full((len(curves), last + 1), np.nan)
    for row, (epochs, losses) in zip(table, curves, strict=True):
        row[epochs.astype(int)] = losses
    known = np.flatnonzero(np.isfinite(table).any(axis=0))
    low, middle, high = np.nanquantile(table[:, known], [0.1, 0.5, 0.9], axis=0)
    ax.fill_between(known, low, high, color=_DONE, alpha=0.35, linewidth=0)
    ax.plot(known, middle, color=_DONE, linewidth=1.8, zorder=2)


def _scale(ax: Axes, losses: NDArray[np.float64]) -> None:
    """A logarithmic axis where the first epochs are far above the last, unless a loss is not positive."""
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() > 8 * losses.min():
        ax.set_yscale("log")

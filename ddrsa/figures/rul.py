"""Predicted against true remaining useful life."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.figures.lives import Life
from ddrsa.figures.style import BLACK, BLUE, CYCLES, ORANGE, ToldIn, new_figure, tidy
from ddrsa.survival.hazard import restricted_mean
from ddrsa.survival.intervals import central_interval

_LEVEL = 0.8


def predicted_rul(
    logits: Tensor,
    time_to_event: NDArray[np.float32],
    observed: NDArray[np.bool_],
    lives: Sequence[Life],
    told: ToldIn = CYCLES,
) -> Figure:
    """All windows whose failure was observed; and along the life of sample units, with the 80 % interval.

    logits: (N, L) on the CPU. time_to_event, observed: (N,). Times beyond the horizon are shown at the horizon.
    """
    horizon = logits.shape[1]
    figure = new_figure(7.6 if lives else 4.2, 3.8)
    grid = figure.add_gridspec(max(len(lives), 1), 2 if lives else 1)
    true = np.minimum(time_to_event[observed], horizon)
    predicted = restricted_mean(logits.double()).numpy()[observed]
    _draw_all(figure, figure.add_subplot(grid[:, 0]), true[true < horizon], predicted[true < horizon], horizon, told)
    for number, life in enumerate(lives):
        ax = figure.add_subplot(grid[number, 1])
        _draw_life(ax, life, told)
        if number == 0:
            ax.legend(frameon=False, fontsize="x-small", loc="lower left")
        if number == len(lives) - 1:
            ax.set_xlabel(told.row)
    return figure


def _draw_life(ax: Axes, life: Life, told: ToldIn) -> None:
    step = told.length
    horizon = life.horizon * step
    lower, upper = (step * end.numpy() for end in central_interval(life.logits, _LEVEL))
    ax.fill_between(life.cycle, lower, upper, color=BLUE, alpha=0.25, linewidth=0, label="80 % interval")
    ax.plot(life.cycle, step * restricted_mean(life.logits).numpy(), color=BLUE, linewidth=1.2, label="predicted")
    true = np.minimum(step * life.time_to_event, horizon)
    ax.plot(life.cycle, true, "--", color=BLACK, linewidth=1.2, label="true")
    ax.set_xlim(max(1, life.failure - 1.5 * life.horizon), life.failure)
    ax.set_ylim(0, 1.05 * horizon)
    ax.set_title(f"unit {life.unit}", fontsize="small", loc="left", pad=2)
    ax.set_ylabel(f"RUL\n({told.unit})")
    tidy(ax)


def _draw_all(
    figure: Figure, ax: Axes, true: NDArray[np.float32], predicted: NDArray[np.float64], steps: int, told: ToldIn
) -> None:
    horizon = steps * told.length
    bins = np.linspace(0, horizon, min(steps, 48) + 1)
    _, _, _, image = ax.hist2d(told.length * true, told.length * predicted, bins=(bins, bins), cmap="cividis_r", cmin=1)
    figure.colorbar(image, ax=ax, label="Windows", pad=0.02, shrink=0.75)
    ax.plot([0, horizon], [0, horizon], "--", color=ORANGE, linewidth=1.2)
    ax.set_aspect("equal")
    ax.set_xlabel(f"True RUL ({told.unit})")
    ax.set_ylabel(f"Predicted RUL ({told.unit})")
    tidy(ax)

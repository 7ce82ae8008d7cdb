"""One unit: its forecasts so far, what lies ahead, and the sensors that drive it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ddrsa.figures.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, new_figure, tidy

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sensor:
    """A sensor along the rows. values: (T,). usual: 10 % and 90 % quantile of the training, None where not known."""

    name: str
    values: Floats
    usual: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class UnitView:
    """title: what to do, in words. unit: of the times, such as days. time_label: of the past's axis.

    past: (T,) the times of the rows, dates or numbers. rul, lower, upper: (T,) forecast there; upper is NaN where it is
    at the horizon or beyond. ahead: (L + 1,) times from the last row on; failed: (L + 1,) the probability of a failure
    up to then. windows: (time ahead, probability) that the table has.
    due: whether an intervention is. level: of the interval from lower to upper.
    """

    title: str
    unit: str
    time_label: str
    past: NDArray[Any]
    rul: Floats
    lower: Floats
    upper: Floats
    ahead: NDArray[Any]
    failed: Floats
    windows: Sequence[tuple[Any, float]]
    sensors: Sequence[Sensor]
    due: bool
    horizon: float
    level: float


def unit_figure(view: UnitView) -> Figure:
    """Forecast RUL along the rows so far; the probability of a failure from now on; the sensors that drive it."""
    lines = textwrap.wrap(view.title, 105)
    rows = 1 + len(view.sensors)
    figure = new_figure(8.4, 2.3 + 1.35 * len(view.sensors) + 0.25 * len(lines))
    figure.suptitle("\n".join(lines), fontsize="medium", x=0.01, ha="left", color=VERMILION if view.due else BLACK)
    grid = figure.add_gridspec(rows, 2, height_ratios=[1.7, *([1] * len(view.sensors))])
    rul = figure.add_subplot(grid[0, 0])
    _draw_rul(rul, view)
    _draw_ahead(figure.add_subplot(grid[0, 1]), view)
    for number, sensor in enumerate(view.sensors, start=1):
        ax = figure.add_subplot(grid[number, :])
        ax.plot(view.past, sensor.values, color=BLACK, linewidth=1)
        if sensor.usual is not None:
            ax.axhspan(*sensor.usual, color=GREEN, alpha=0.15, linewidth=0, label="10 to 90 % of the training")
        ax.set_ylabel(textwrap.fill(sensor.name, 16), fontsize="small")
        if number == 1:
            ax.legend(frameon=False, fontsize="x-small", loc="upper left")
        if number == len(view.sensors):
            ax.set_xlabel(view.time_label)
        else:
            ax.tick_params(labelbottom=False)
        _dates(ax, view.past)
        tidy(ax)
    return figure


def _draw_rul(ax: Axes, view: UnitView) -> None:
    upper = np.where(np.isnan(view.upper), view.horizon, view.upper)
    ax.fill_between(
        view.past, view.lower, upper, color=BLUE, alpha=0.25, linewidth=0, label=f"{100 * view.level:.3g} % interval"
    )
    ax.plot(view.past, view.rul, color=BLUE, linewidth=1.3, label="forecast")
    ax.plot(view.past[-1:], view.rul[-1:], "o", color=VERMILION if view.due else BLUE, ms=5)
    ax.set_ylim(0, 1.05 * view.horizon)
    ax.set_ylabel(f"RUL ({view.unit})")
    ax.set_xlabel(view.time_label)
    ax.legend(frameon=False, fontsize="x-small", loc="best")
    _dates(ax, view.past)
    tidy(ax)


def _draw_ahead(ax: Axes, view: UnitView) -> None:
    ax.step(view.ahead, 100 * view.failed, where="post", color=ORANGE, linewidth=1.6)
    for time, probability in view.windows if not np.isnan(view.failed).any() else ():
        ax.plot([time], [100 * probability], "o", color=BLACK, ms=4)
        ax.annotate(f"{100 * probability:.0f} %", (time, 100 * probability), (4, 5), textcoords="offset points",
                    fontsize="x-small")  # fmt: skip
    if np.isnan(view.failed).any():
        ax.text(0.5, 0.5, "no forecast", transform=ax.transAxes, ha="center")
    ax.set_xlim(view.ahead[0], view.ahead[-1])
    ax.set_ylim(-2, 108)
    ax.set_ylabel("Failed by then (%)")
    ax.set_xlabel("From now on")
    _dates(ax, view.ahead)
    tidy(ax)


def _dates(ax: Axes, times: NDArray[Any]) -> None:
    if times.dtype.kind == "M":
        # With fewer ticks some lengths of time, 64 hours for one, have no step that matplotlib knows.
        locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]

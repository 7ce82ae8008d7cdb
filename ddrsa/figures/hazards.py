"""Hazards forecast as a unit comes nearer to its failure (figure 2a of the paper)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ddrsa.figures.lives import Life
from ddrsa.figures.style import BLACK, CYCLES, ToldIn, new_figure, tidy

# Hazards below this are not told apart.
_FLOOR = 1e-4
_FORECASTS = 7


def hazard_progression(lives: Sequence[Life], told: ToldIn = CYCLES) -> Figure:
    """A panel per unit: the forecasts made at some of its last cycles, each over the cycles that it looks ahead."""
    figure = new_figure(7.2, 2.9)
    panels = figure.subplots(1, len(lives), sharey=True, squeeze=False)[0]
    horizon = lives[0].horizon
    colours = mpl.colormaps["cividis"]  # monotone in lightness, and the same to any colour vision
    scale = Normalize(0, horizon * told.length)
    lowest = 1.0
    for ax, life in zip(panels, lives, strict=True):
        # Evenly spread, from one horizon before the failure (or the first cycle) to the failure.
        remaining = np.unique(np.linspace(0, min(horizon, life.failure - 1), _FORECASTS).round())[::-1]
        for time_to_event in remaining:
            row = int(np.flatnonzero(life.time_to_event == time_to_event)[0])
            hazard = life.logits[row].sigmoid().numpy().clip(_FLOOR)
            lowest = min(lowest, hazard.min())
            ax.plot(
                life.cycle[row] + np.arange(horizon),
                hazard,
                color=colours(scale(told.length * time_to_event)),
                linewidth=1.4,
            )
        ax.axvline(life.failure, color=BLACK, linestyle="--", linewidth=1)
        ax.annotate(
            "failure", (life.failure, 0.03), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
            fontsize="x-small",
        )  # fmt: skip
        ax.set_yscale("log")
        ax.set_xlim(max(1, life.failure - horizon), life.failure + horizon / 4)
        ax.set_title(f"unit {life.unit}", fontsize="medium", loc="left")
        ax.set_xlabel(told.row)
        tidy(ax)
    panels[0].set_ylim(lowest / 2, 1.3)
    panels[0].set_ylabel(f"Forecast hazard\n(per {told.row.lower()}, log scale)")
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=list(panels), pad=0.01)
    bar.set_label(f"Time to event ({told.unit})")
    bar.ax.invert_yaxis()
    return figure

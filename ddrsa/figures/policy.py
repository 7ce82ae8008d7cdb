"""The OTI policy along the lives of units (figure 2b of the paper), and its trade-off beside that of its rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ddrsa.figures.lives import Life
from ddrsa.figures.style import BLACK, BLUE, CYCLES, GREEN, ORANGE, VERMILION, ToldIn, new_figure, tidy
from ddrsa.survival.policy import critical_cost, stopping_costs

_NAMES = {
    "oti": ("OTI", BLUE, "-", "o"),
    "time_to_event_threshold": ("predicted time to event", ORANGE, "--", "s"),
    "failure_probability": ("failure probability", GREEN, ":", "^"),
}


def policy_along_lives(lives: Sequence[Life], cost: float, told: ToldIn = CYCLES) -> Figure:
    """A panel per unit: the cost of stopping and of going on over its last cycles, the intervention, the failure.

    cost: C of a missed failure, in steps.
    """
    figure = new_figure(7.2, 3.1)
    panels = figure.subplots(1, len(lives), sharey=True, squeeze=False)[0]
    highest = 0.0
    for ax, life in zip(panels, lives, strict=True):
        stop, go_on = (told.length * values.numpy() for values in stopping_costs(life.logits, cost))
        chosen = (critical_cost(life.logits) <= cost).numpy() & (life.time_to_event >= 1)
        first = int(np.argmax(chosen)) if chosen.any() else None
        ax.plot(life.cycle, stop, color=BLUE, label="stop: useful life given up")
        ax.plot(life.cycle, go_on, "--", color=VERMILION, label="go on: risk of a failure")
        if first is not None:
            early = f"{told.length * life.time_to_event[first]:.3g} {told.unit} early"
            label = "intervention" if ax is panels[0] else None
            ax.axvline(life.cycle[first], color=GREEN, linestyle="-.", linewidth=1.3, label=label)
        else:
            early = "missed"
        ax.axvline(life.failure, color=BLACK, linestyle=":", linewidth=1.5, label="failure")
        earliest = life.failure if first is None else float(life.cycle[first])
        shown = max(1.0, min(life.failure - life.horizon / 2, earliest - life.horizon / 8))
        highest = max(highest, stop[life.cycle >= shown].max(), go_on[life.cycle >= shown].max())
        ax.set_xlim(shown, life.failure + 0.04 * (life.failure - shown))
        ax.set_title(f"unit {life.unit}: {early}", fontsize="medium", loc="left")
        ax.set_xlabel(told.row)
        tidy(ax)
    panels[0].set_ylabel(f"Expected cost ({told.unit})\na missed failure: {told.length * cost:.4g}")
    panels[0].set_ylim(0, 1.05 * highest)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def policy_trade_off(policies: Mapping[str, Any], told: ToldIn = CYCLES) -> Figure:
    """Miss rate against mean time to event of the three policies, from `policies` of test_metrics.json."""
    figure = new_figure(4.8, 3.4)
    ax = figure.subplots()
    for name, (label, colour, dashes, marker) in _NAMES.items():
        curve = policies[name]["curve"]
        shown = [(told.length * point["mean_time_to_event"], 100 * point["miss_rate"]) for point in curve]
        if shown:
            ax.plot(*zip(*shown, strict=True), dashes, color=colour, linewidth=1.4, label=label)
        for point in policies[name]["tuned"].values():
            if point is not None and point["mean_time_to_event"] is not None:
                at = told.length * point["mean_time_to_event"], 100 * point["miss_rate"]
                ax.plot(*at, marker, color=colour, markeredgecolor="black", ms=7, zorder=3)
    ax.plot([], [], "o", color="0.7", markeredgecolor="black", ms=7, label="tuned on validation units (5 %, 10 %)")
    ax.set_xlabel(f"Mean useful life given up at the interventions ({told.unit})")
    ax.set_ylabel("Failures missed (% of units)")
    ax.set_ylim(bottom=-2)
    ax.legend(frameon=False, fontsize="small")
    tidy(ax)
    return figure

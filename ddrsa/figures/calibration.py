"""Reliability of the forecast probabilities, and the bins of D-calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ddrsa.figures.style import BLUE, CYCLES, GREEN, VERMILION, ToldIn, new_figure, tidy


def reliability(calibration: Mapping[str, Any], told: ToldIn = CYCLES) -> Figure:
    """Forecast against observed share of failures, and the D-calibration bins, from `calibration` of test_metrics.json.

    The size of a point shows how many windows it stands for.
    """
    figure = new_figure(7.2, 3.3)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], "--", color="0.4", linewidth=1)
    styles = zip((GREEN, BLUE, VERMILION), ("o", "s", "^"), calibration["reliability"], strict=False)
    for colour, marker, entry in styles:
        bins = entry["bins"]
        predicted, observed = ([one[key] for one in bins] for key in ("predicted", "observed"))
        counts = np.array([one["num_windows"] for one in bins])
        label = f"within {told.length * entry['window']:.4g} {told.unit}"
        left.plot(predicted, observed, color=colour, linewidth=1, alpha=0.6)
        left.scatter(
            predicted, observed, 12 + 70 * counts / max(counts.max(initial=1), 1), color=colour, marker=marker,
            edgecolor="black", linewidth=0.4, label=label, zorder=3,
        )  # fmt: skip
    left.set_xlabel("Forecast probability of failure")
    left.set_ylabel("Observed share of failures")
    left.set_aspect("equal")
    handles, labels = left.get_legend_handles_labels()
    left.legend(handles, labels, frameon=False, fontsize="small")
    test = calibration["d_calibration"]
    shares = np.array(test["bins"])
    centres = (np.arange(len(shares)) + 0.5) / max(len(shares), 1)
    right.bar(centres, shares, width=0.09, color=BLUE)
    right.axhline(0.1, linestyle="--", color="0.4", linewidth=1)
    p_value = "" if test["p_value"] is None else f", p = {test['p_value']:.2g}"
    right.set_title(f"D-calibration{p_value}", fontsize="medium", loc="left")
    right.set_xlabel("Forecast survival probability at the failure")
    right.set_ylabel("Share of windows")
    for ax in (left, right):
        tidy(ax)
    return figure

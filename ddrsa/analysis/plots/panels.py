"""Panels of one metric against one hyperparameter: on a grid, means with error bars; of a search, points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ddrsa.analysis.commands import hydra_value
from ddrsa.analysis.configurations import is_absent
from ddrsa.analysis.edges import is_logarithmic, is_numeric
from ddrsa.analysis.plots.data import distinct
from ddrsa.analysis.plots.style import MOST_VECTOR_POINTS, Look, jitter

# More values than this on an axis are no grid that a person typed.
MOST_TICKS = 12

# Of a search: runs that one point of the trend stands for, and the most points that it has.
_RUNS_PER_BIN, _MOST_BINS = 12, 8

HOW_TO_READ = "small: one run; large: mean ± standard deviation of all runs with that value"


def draw_panel(
    ax: Axes, runs: pd.DataFrame, key: str, column: str, looks: dict[str, Look], *, scale: bool = False
) -> None:
    """Draw `column` against the hyperparameter `key`, each model in its own look.

    Values that a person typed stand side by side, with the models beside each other, a point for each run, and their
    mean and deviation. `scale`: they stand where they lie on a numeric axis. Values of a search (many, numeric) are
    points on a numeric axis, with the median of neighbouring runs as the trend.
    """
    runs = runs[[not is_absent(value) for value in runs[key]]].dropna(subset=[column])
    values = distinct(runs, key)
    numeric = is_numeric(values)
    if numeric and (scale or len(values) > MOST_TICKS):
        logarithmic = is_logarithmic([float(value) for value in values])  # type: ignore[arg-type]
        if len(values) > MOST_TICKS:
            _draw_search(ax, runs, key, column, looks, logarithmic)
        else:
            _draw_grid(ax, runs, key, column, looks, values, *_places(values, logarithmic))
        if logarithmic:
            ax.set_xscale("log")
        if len(values) <= MOST_TICKS:
            ax.xaxis.set_major_locator(FixedLocator([float(value) for value in values]))  # type: ignore[arg-type]
            ax.xaxis.set_minor_locator(NullLocator())
            ax.set_xticklabels([_tick(value) for value in values])
    else:
        shown = values[:MOST_TICKS]
        _draw_grid(ax, runs, key, column, looks, shown, list(range(len(shown))), 0.7)
        long = max((len(_tick(value)) for value in shown), default=0) * len(shown) > 36
        ax.set_xticks(
            range(len(shown)),
            [_tick(value) for value in shown],
            rotation=35 if long else 0,
            ha="right" if long else "center",
        )
        if len(values) > MOST_TICKS:
            ax.text(
                0.01,
                0.99,
                f"the first {MOST_TICKS} of {len(values)} values",
                transform=ax.transAxes,
                va="top",
                fontsize="small",
                style="italic",
            )
    ax.set_xlabel(key)
    ax.ticklabel_format(axis="y", useOffset=False)


def _places(values: Sequence[object], logarithmic: bool) -> tuple[list[float], float]:
    """Positions of the values on a numeric axis, and the width that their models share (negative: of the logarithm)."""
    places = [float(value) for value in values]  # type: ignore[arg-type]
    if len(places) < 2:
        return places, 0.0
    if logarithmic:
        return places, -0.5 * float(np.diff(np.log(places)).min())
    return places, 0.5 * float(np.diff(places).min())


def _draw_grid(
    ax: Axes,
    runs: pd.DataFrame,
    key: str,
    column: str,
    looks: dict[str, Look],
    values: Sequence[object],
    places: Sequence[float],
    width: float,
) -> None:
    """A negative width is that of the logarithm."""
    present = [model for model in looks if model in set(runs["model"])]
    share = abs(width) / max(len(present), 1)

    def place(centre: float, offset: float | np.ndarray) -> float | np.ndarray:
        return centre * np.exp(offset) if width < 0 else centre + offset

    for i, model in enumerate(present):
        look, own = looks[model], runs[runs["model"] == model]
        by_value = [
            own.loc[[value == other and type(value) is type(other) for other in own[key]], column].to_numpy(float)
            for value in values
        ]
        offset = (i - (len(present) - 1) / 2) * share
        many = sum(map(len, by_value)) > MOST_VECTOR_POINTS
        for centre, found in zip(places, by_value, strict=True):
            ax.scatter(
                place(centre, offset + jitter(len(found), 0.6 * share)),
                found,
                s=4 if many else 12,
                color=look.colour,
                marker=look.marker,
                alpha=0.15 if many else 0.45,
                linewidth=0,
                rasterized=many,
                zorder=2,
            )
        kept = [(place(centre, offset), found) for centre, found in zip(places, by_value, strict=True) if len(found)]
        if not kept:
            continue
        ax.errorbar(
            [float(x) for x, _ in kept],
            [float(found.mean()) for _, found in kept],
            yerr=[float(found.std(ddof=1)) if len(found) > 1 else 0.0 for _, found in kept],
            color=look.colour,
            linestyle=look.line,
            linewidth=1.4,
            marker=look.marker,
            markersize=7,
            markeredgecolor="black",
            markeredgewidth=0.6,
            capsize=3,
            zorder=4,
        )


def _draw_search(
    ax: Axes, runs: pd.DataFrame, key: str, column: str, looks: dict[str, Look], logarithmic: bool
) -> None:
    for model, look in looks.items():
        own = runs[runs["model"] == model]
        if own.empty:
            continue
        x, y = own[key].to_numpy(float), own[column].to_numpy(float)
        many = len(x) > MOST_VECTOR_POINTS
        ax.scatter(
            x,
            y,
            s=5 if many else 16,
            color=look.colour,
            marker=look.marker,
            alpha=0.25 if many else 0.6,
            linewidth=0,
            rasterized=many,
            zorder=2,
        )
        bins = min(_MOST_BINS, len(x) // _RUNS_PER_BIN)
        if bins < 2:
            continue
        parts = np.array_split(np.argsort(x, kind="stable"), bins)
        centres = [float(np.exp(np.log(x[part]).mean()) if logarithmic else x[part].mean()) for part in parts]
        ax.plot(
            centres,
            [float(np.median(y[part])) for part in parts],
            color=look.colour,
            linestyle=look.line,
            linewidth=2,
            marker=look.marker,
            markersize=7,
            markeredgecolor="black",
            markeredgewidth=0.6,
            zorder=4,
        )


def _tick(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = hydra_value(value)
    return text if len(text) <= 18 else f"{text[:16]}.."

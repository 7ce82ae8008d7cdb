"""The plots of a data report. Only matplotlib's object interface: no display, no global state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ddrsa.data.sequences import Sequences
from ddrsa.texts import count_of

# Two colours of M. Okabe and K. Ito (2008), "Color Universal Design", that differ in greyscale too.
BLUE, ORANGE = "#0072B2", "#E69F00"

MOST_PANELS = 60
MOST_BINS = 100
FEWEST_UNITS = 5
"""At a time to event at which fewer units are left, their quartiles say nothing about the others."""


def lifetimes_figure(sequences: Sequences, title: str, time_unit: str) -> Figure:
    """A histogram of the lifetimes of the units that failed, and of how long the censored ones are known to live."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    failed = sequences.unit_event_observed
    groups, labels = [], []
    for name, units in (("failed", failed), ("censored: lower bounds", ~failed)):
        if units.any():
            groups.append(sequences.lifetimes[units])
            labels.append(f"{name} ({units.sum()}), median {np.median(groups[-1]):g}")
    colours = [BLUE, ORANGE] if failed.any() else [ORANGE]
    bins = np.histogram_bin_edges(sequences.lifetimes, bins="auto" if sequences.num_units > 1 else 1)
    bins = np.linspace(bins[0], bins[-1], min(len(bins), MOST_BINS + 1))
    _, _, drawn = ax.hist(groups, bins=bins.tolist(), stacked=True, color=colours[: len(groups)], label=labels)
    if not failed.all():
        bars = drawn if len(groups) == 1 else drawn[-1]  # type: ignore[index]
        for bar in bars:  # type: ignore[union-attr]
            bar.set(hatch="///", edgecolor="0.2")  # type: ignore[union-attr]
    ax.set_xlabel(f"Lifetime ({time_unit})")
    ax.set_ylabel("Units")
    ax.set_xlim(left=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(f"{title}: {count_of(sequences.num_units, 'unit')}")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def trends_figure(sequences: Sequences, title: str, time_unit: str, value: str) -> Figure | None:
    """Each feature against the time to event: median and quartiles over the units that failed, the event on the right.

    Features that are constant in every unit are left out. value: what the features are, for the title. None where no
    unit failed or no feature is left.
    """
    names, bands, width = trends(sequences)
    if not names:
        return None
    shown = names[:MOST_PANELS]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(max(5.0, 3.1 * columns), 1.3 + 1.75 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    time = bands["median"].index.to_numpy() * width + (width - 1) / 2
    for ax, name in zip(axes, shown, strict=False):
        ax.fill_between(time, bands["low"][name], bands["high"][name], color=BLUE, alpha=0.25, linewidth=0)
        ax.plot(time, bands["median"][name], color=BLUE, linewidth=1.5)
        ax.plot(time, bands["mean"][name], color="0.2", linewidth=0.9, linestyle="--")
        ax.set_title(name, fontsize="small")
        ax.tick_params(labelsize="x-small")
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.yaxis.set_major_locator(MaxNLocator(4))
    axes[0].invert_xaxis()  # shared by all
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    for ax in axes[max(0, len(shown) - columns) : len(shown)]:
        ax.tick_params(labelbottom=True)
    few = "" if len(shown) == len(names) else f"; the first {len(shown)} of {len(names)} features"
    failed = int(sequences.unit_event_observed.sum())
    figure.suptitle(
        f"{title}: {value} before the event{few}\n"
        f"line: median, band: quartiles, dashed: mean, over {count_of(failed, 'failed unit')}",
        fontsize="medium",
    )
    figure.supxlabel(f"Time to event ({time_unit})", fontsize="medium")
    return figure


def trends(sequences: Sequences) -> tuple[list[str], dict[str, pd.DataFrame], int]:
    """The features that change within a failed unit, their spread, and the width of a bin of the time to event.

    The spread ("low" and "high" quartile, "median", "mean") is over the units, of each unit's mean in the bin; one
    column for each feature, one row for each bin, from that of the event to where fewer than a fifth of the units, or
    `FEWEST_UNITS`, are left.
    """
    failed = sequences.event_observed
    if not failed.any():
        return [], {}, 1
    features = pd.DataFrame(sequences.features[failed], columns=list(sequences.feature_names))
    unit = pd.Series(sequences.unit[failed], name="unit")
    by_unit = features.groupby(unit)
    changes = (by_unit.max() != by_unit.min()).any()
    names = [name for name in sequences.feature_names if changes[name]]
    if not names:
        return [], {}, 1
    num_units = unit.nunique()
    enough = min(num_units, max(FEWEST_UNITS, num_units // 5))
    time = pd.Series(sequences.time_to_event[failed].astype(np.int64))
    left = time.groupby(time).size()
    longest = int(left.index[left >= enough].max())
    width = -(-(longest + 1) // MOST_BINS)
    kept = time <= longest
    bins = (time[kept] // width).rename("bin")
    means = features.loc[kept, names].astype(np.float64).groupby([unit[kept], bins]).mean()
    by_bin = means.groupby("bin")
    bands = {
        "low": by_bin.quantile(0.25),
        "median": by_bin.median(),
        "high": by_bin.quantile(0.75),
        "mean": by_bin.mean(),
    }
    return names, bands, width


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whole: nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(path)

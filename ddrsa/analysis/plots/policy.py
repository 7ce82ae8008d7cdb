"""Trade-off of the intervention policy of each model: time given up against failures missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from ddrsa.analysis.commands import run_of
from ddrsa.analysis.metrics import time_unit
from ddrsa.analysis.plots.data import basis, datasets, headline
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import Look, grid_of_axes, head, legend_below, looks, model_handles, new_figure, tidy
from ddrsa.analysis.results import policy_curves, policy_steps
from ddrsa.analysis.sentences import named
from ddrsa.analysis.time_units import TimeUnit

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis
    from ddrsa.analysis.answer import Answer

_TITLES = {
    "oti": "Optimally timed intervention",
    "time_to_event_threshold": "Threshold on the forecast time",
    "failure_probability": "Threshold on the failure probability",
}

# Who misses more (%) has no use for a policy: the axis ends there.
_MOST_MISSED = 30

# Above so much time, the time axis has factors for steps.
_LINEAR = 30

# (level, miss rate, mean time to event) of a point.
Curve = list[tuple[float, float, float]]


def policy_tradeoff(analysis: Analysis) -> Drawing:
    """Miss rate against mean time to event at the intervention, for the best configuration of each model.

    A faint line for each seed and fold, and their mean. A column per policy, a row per data set.
    """
    found = {answer.dataset: _curves(analysis, answer) for answer in analysis.answers if answer.by_model}
    found = {dataset: found[dataset] for dataset in datasets(analysis) if found.get(dataset)}
    policies = list(dict.fromkeys(policy for curves in found.values() for policy, _ in curves))
    if not policies:
        raise NotDrawn("no completed run of a best configuration has a curve of its policy (oti, policies)")
    names = looks(model for curves in found.values() for _, model in curves)
    figure = new_figure(max(6.8, 4.3 * len(policies)), 1.5 + 3.6 * len(found))
    axes = iter(grid_of_axes(figure, len(found), len(policies)))
    for dataset, curves in found.items():
        for policy in policies:
            ax = next(axes)
            for model, look in names.items():
                _draw(ax, curves.get((policy, model), []), look)
            ax.set_title(
                _TITLES.get(policy, policy) + (f", {dataset}" if len(found) > 1 else ""), fontsize="medium", loc="left"
            )
            ax.axvline(5, color="0.5", linestyle=":", linewidth=1)
            ax.set_xlabel("Missed failures (%)")
            ax.set_xlim(-1, min(max(ax.dataLim.xmax, 10) + 1, _MOST_MISSED))
            _time_axis(
                ax,
                time_unit(dataset),
                max((time for runs in curves.values() for run in runs for _, _, time in run), default=0.0),
            )
            tidy(ax, "both")
    title = headline(analysis, "trade-off of the intervention policy")
    head(
        figure,
        title,
        basis(
            analysis,
            "the best configuration of each model; down and left is better; faint: one run; dotted: 5 % missed",
        ),
    )
    legend_below(figure, model_handles(names, lines=True))
    best = "; ".join(named(one) for answer in analysis.answers for one in answer.by_model)
    return Drawing(
        figure, title, f"Missed failures in percent against the mean time to event ({time_unit()}), for {best}."
    )


def _curves(analysis: Analysis, answer: Answer) -> dict[tuple[str, str], list[Curve]]:
    """The curves of the runs of each model's best configuration, by policy and model."""
    length = analysis.sweep.time_units.get(answer.dataset, TimeUnit()).length
    found: dict[tuple[str, str], list[Curve]] = {}
    for candidate in answer.by_model:
        for directory in candidate.directories:
            # Read again rather than kept: of thousands of runs, a few are drawn.
            try:
                result = run_of(directory, analysis.sweep.path).read_test_metrics() or {}
            except (OSError, ValueError):
                continue
            part = result.get("validation") if answer.select_by == "validation" else result
            for policy, curve in policy_curves(part if isinstance(part, dict) else {}).items():
                told = [(level, missed, time * length / policy_steps(result)) for level, missed, time in curve]
                found.setdefault((policy, candidate.model), []).append(told)
    return found


def _draw(ax: Axes, runs: list[Curve], look: Look) -> None:
    """A faint line for each run; thick, their mean, of the same levels or, where each has its own, of miss rates."""
    together = len({tuple(level for level, _, _ in run) for run in runs}) == 1
    if len(runs) > 1:
        for run in runs:
            missed, time = _steps(run) if not together else np.array([point[1:] for point in run]).T
            ax.plot(100 * missed, time, color=look.colour, marker=look.marker, markersize=3, linewidth=0.7, alpha=0.4)
    if runs and together:
        mean = np.array([[point[1:] for point in run] for run in runs]).mean(axis=0)
        _draw_line(ax, 100 * mean[:, 0], mean[:, 1], look)
    elif runs:
        rates = np.unique(np.concatenate([_steps(run)[0] for run in runs]))
        times = np.array([_at_miss_rates(run, rates) for run in runs])
        whole = ~np.isnan(times).any(axis=0)
        _draw_line(ax, 100 * rates[whole], times[:, whole].mean(axis=0), look)


def _steps(run: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The miss rates of the curve in order, and the least mean time to event with at most that rate."""
    missed, time = np.array([point[1] for point in run]), np.array([point[2] for point in run])
    rates = np.unique(missed)
    return rates, np.array([time[missed <= rate].min() for rate in rates])


def _at_miss_rates(run: Curve, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least mean time to event with at most each of `rates`; NaN where the run always misses more."""
    own, times = _steps(run)
    place = np.searchsorted(own, rates, side="right") - 1
    return np.where(place >= 0, times[place.clip(min=0)], np.nan)


def _draw_line(ax: Axes, missed: NDArray[np.float64], time: NDArray[np.float64], look: Look) -> None:
    ax.plot(
        missed,
        time,
        color=look.colour,
        linestyle=look.line,
        linewidth=1.6,
        marker=look.marker,
        markersize=6,
        markeredgecolor="black",
        markeredgewidth=0.5,
    )


def _time_axis(ax: Axes, unit: str, latest: float) -> None:
    """Linear to 10, then by factors: early interventions lie tens of times as far from the event as late."""
    ax.set_ylabel(f"Mean time to event at\nthe intervention ({unit})")
    if latest > _LINEAR:
        ax.set_yscale("symlog", linthresh=10)
        ticks = [0, 2, 5, *(factor * 10**power for power in range(1, 6) for factor in (1, 2, 5))]
        ax.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick <= 1.6 * latest]))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(bottom=0)

"""Whether the best network beats the baselines, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ddrsa.analysis.candidates import candidate
from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.commands import settings
from ddrsa.analysis.configurations import Configurations
from ddrsa.analysis.criterion import Criterion
from ddrsa.analysis.metrics import metric
from ddrsa.analysis.paired_units import OnUnits, paired_on_units
from ddrsa.analysis.time_units import TimeUnit
from ddrsa.time_units import counted

# The models that are no network: age alone, and trees on summaries of the window.
BASELINES = ("kaplan_meier", "boosting")


def against_baselines(
    configurations: Configurations, ranked: Sequence[int], criterion: Criterion, sweep: Sweep
) -> list[str]:
    """A sentence for each baseline among the configurations, which are `ranked` from the best to the worst.

    The network and the baseline are each the best of their kind by `criterion`; they are compared on the test units,
    seed by seed and fold by fold.
    """
    models = configurations.table["model"]
    networks = [number for number in ranked if models[number] not in BASELINES]
    if not networks:
        return []
    dataset = str(configurations.table.loc[networks[0], "dataset"])
    said = []
    for name in BASELINES:
        of_baseline = [number for number in ranked if models[number] == name]
        if not of_baseline:
            continue
        best = candidate(configurations, networks[0], criterion.column)
        shown = " ".join([best.model, *settings(best.values)])
        found = compared_on_units(configurations, networks[0], of_baseline[0], criterion, sweep)
        if found is None:
            other = candidate(configurations, of_baseline[0], criterion.column)
            said.append(_by_means(shown, name, best.selected.mean, other.selected.mean, criterion, dataset))
        else:
            said.append(_on_units(shown, name, found, criterion, dataset))
    return said


def compared_on_units(
    configurations: Configurations, first: int, other: int, criterion: Criterion, sweep: Sweep
) -> OnUnits | None:
    """The other minus the first on the test units, over the pairs of runs with the same seed and fold."""
    keys = [key for key in sweep.repeats if key in configurations.runs]
    both = [configurations.runs_of(number).to_dict("records") for number in (first, other)]
    pairs = [
        (sweep.path / a["directory"], sweep.path / b["directory"])
        for a in both[0]
        for b in both[1]
        if all(repr(a[key]) == repr(b[key]) for key in keys)
    ]
    found = paired_on_units(pairs, criterion.metric)
    if found is None:
        return None
    factor = sweep.time_units.get(str(both[0][0]["dataset"]), TimeUnit()).told(criterion.metric, 1.0)
    return replace(found, mean=found.mean * factor, low=found.low * factor, high=found.high * factor)


def _on_units(network: str, baseline: str, found: OnUnits, criterion: Criterion, dataset: str) -> str:
    sign = -1 if criterion.higher_is_better else 1
    gain = sign * found.mean
    low, high = sorted((sign * found.low, sign * found.high))
    interval = f"95 % interval {low:.2g} to {high:.2g}, paired bootstrap over units"
    on = f"{metric(criterion.metric).label} on the same {found.units} test units"
    amount = _amount(abs(gain), criterion, dataset)
    if low > 0:
        return f"The best network, {network}, beats {baseline} by {amount} ({on}, {interval})."
    if high < 0:
        return f"The best network, {network}, is beaten by {baseline}, by {amount} ({on}; {interval})."
    better = "better" if gain > 0 else "worse"
    return (
        f"The best network, {network}, cannot be told apart from {baseline}: {amount} {better} ({on}, {interval}). "
        "Nothing here says that a network is needed."
    )


def _by_means(network: str, baseline: str, mean: float, other: float, criterion: Criterion, dataset: str) -> str:
    gain = mean - other if criterion.higher_is_better else other - mean
    better = "better" if gain > 0 else "worse"
    return (
        f"The best network, {network}, is {_amount(abs(gain), criterion, dataset)} {better} than {baseline} "
        f"({metric(criterion.metric).label} {criterion.units}, without an interval: the runs do not have it by unit)."
    )


def _amount(value: float, criterion: Criterion, dataset: str) -> str:
    unit = metric(criterion.metric, dataset).unit
    return counted(value, unit) if unit else f"{value:.3g}"

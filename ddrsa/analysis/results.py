"""Flat names for the numbers of a test_metrics.json, those of the validation units with a prefix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ddrsa.analysis.metrics import OF_SUBSET, VALIDATION
from ddrsa.rundir.finite import finite

# The shares of missed failures at which the intervention policy is compared, and the columns that they get.
MISS_RATES = {"oti_at_5_percent": ("5%", 0.05), "oti_at_10_percent": ("10%", 0.10)}

_NO_METRICS = frozenset({"schema_version", "run_id"})


def flat_metrics(result: dict[str, Any]) -> dict[str, float]:
    """The numbers of `result`, a test_metrics.json; what is null or not finite is NaN. Text and lists are left out.
    Those of a subset, where several were evaluated, are called nll@FD001.

    Raises ValueError where the curve of the policy (`oti`) is no list of objects.
    """
    validation, steps = result.get("validation"), policy_steps(result)
    flat = _part(result, steps)
    if isinstance(validation, dict):
        flat |= {VALIDATION + name: value for name, value in _part(validation, steps).items()}
    return flat


def test_intervals_of(result: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """The intervals of metrics on the test units that `result` reports, by the names of `flat_metrics`."""
    steps = policy_steps(result)
    subsets = result.get("by_subset")
    parts = {"": result} | {OF_SUBSET + name: part for name, part in (subsets or {}).items()}
    found = {}
    for of, part in parts.items():
        given = part.get("confidence_intervals") if isinstance(part, dict) else None
        if not isinstance(given, dict):
            continue
        at_rates = given.get("oti_at_miss_rate")
        rates = at_rates if isinstance(at_rates, dict) else {}
        named = {**given, **{name: rates.get(key) for name, (key, _) in MISS_RATES.items()}}
        for name, ends in named.items():
            if isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends)):
                of_steps = steps if name in MISS_RATES else 1
                found[name + of] = float(ends[0]) / of_steps, float(ends[1]) / of_steps
    return found


def policy_steps(result: dict[str, Any]) -> float:
    """How many of a run's own steps, those of its policies' times, make one of the steps that it is measured in."""
    measure = result.get("measure")
    steps = measure.get("steps", 1) if isinstance(measure, dict) else 1
    return float(steps) if is_number(steps) and finite(steps) >= 1 else 1.0


def _part(result: dict[str, Any], steps: float) -> dict[str, float]:
    numbers = {
        key: math.nan if value is None else float(finite(value))
        for key, value in result.items()
        if key not in _NO_METRICS and (value is None or is_number(value))
    }
    for subset, part in (result.get("by_subset") or {}).items():
        numbers |= {f"{name}{OF_SUBSET}{subset}": value for name, value in _part(part, steps).items()}
    if "oti" in result or "oti_at_miss_rate" in result:
        numbers |= {name: _time_at_miss_rate(result, key, share) / steps for name, (key, share) in MISS_RATES.items()}
    return numbers


def _time_at_miss_rate(result: dict[str, Any], key: str, share: float) -> float:
    """The mean time to event (cycles) of the policy that misses at most `share` of the failures; NaN if none does.

    It stands in `oti_at_miss_rate`; before there was such a key, it is the smallest among the costs in `oti`.
    """
    stated = result.get("oti_at_miss_rate")
    if isinstance(stated, dict):
        value = stated.get(key)
        return float(finite(value)) if value is not None and is_number(value) else math.nan
    times = [time for _, missed, time in oti_curve(result) if missed <= share]
    return min(times, default=math.nan)


def oti_curve(result: dict[str, Any]) -> list[tuple[float, float, float]]:
    """(cost, miss rate, mean time to event in cycles) of the points of `oti` that have all three.

    Raises ValueError where it is no list of objects.
    """
    curve = result.get("oti") or []
    if not isinstance(curve, list) or not all(isinstance(point, dict) for point in curve):
        raise ValueError("it holds an `oti` that is no list of objects")
    return list(_points(curve, "cost"))


def policy_curves(result: dict[str, Any]) -> dict[str, list[tuple[float, float, float]]]:
    """By the name of the policy: (threshold or cost, miss rate, mean time to event in cycles) of each point.

    Without `policies`, as before there was such a key, only the curve `oti`.
    """
    policies = result.get("policies")
    if not isinstance(policies, dict):
        curve = oti_curve(result)
        return {"oti": curve} if curve else {}
    curves = {}
    for name, policy in policies.items():
        points = policy.get("curve") if isinstance(policy, dict) else None
        if isinstance(points, list):
            curves[str(name)] = list(_points([point for point in points if isinstance(point, dict)], "threshold"))
    return {name: curve for name, curve in curves.items() if curve}


def _points(curve: list[dict[str, Any]], level: str) -> Iterator[tuple[float, float, float]]:
    for point in curve:
        values = [point.get(level, math.nan), point.get("miss_rate"), point.get("mean_time_to_event")]
        if all(is_number(value) for value in values):
            level_value, miss_rate, time = values
            yield float(finite(level_value)), float(finite(miss_rate)), float(finite(time))


def is_number(value: Any) -> bool:
    """Whether `value` is an int or a float, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)

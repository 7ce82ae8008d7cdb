"""The OTI policy beside its two usual rivals, on the same forecasts and with thresholds that are tuned alike.

    oti                       intervene where the cost C is at or above the critical cost of the forecast (policy.py)
    time_to_event_threshold   intervene where the predicted time to event E[min(tau, L)] is at or below a threshold
    failure_probability       intervene where P(tau < w), the probability of failing within the next w cycles, is at or
                              above a threshold

Each is a threshold on a score of the forecast. It is chosen on validation units, as the one that gives up least there
among those that miss no more than 5 % (or 10 %) of them, and then played on the test units. The window w is chosen once
for both, by the same criterion, among the powers of two up to the horizon and the horizon itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from torch import Tensor

from ddrsa.survival.hazard import log_survival, restricted_mean
from ddrsa.survival.policy import critical_cost
from ddrsa.survival.trade_off import TradeOff, trade_off

POLICIES = ("oti", "time_to_event_threshold", "failure_probability")
# The largest shares of missed failures that thresholds are tuned for.
MISS_RATES = {"5%": 0.05, "10%": 0.10}

_SIDES: dict[str, Literal["below", "above"]] = {
    "oti": "below",
    "time_to_event_threshold": "below",
    "failure_probability": "above",
}


def policy_score(name: str, logits: Tensor, window: int | None = None) -> Tensor:
    """The score that the policy `name` compares with its threshold, (...), float64, from hazard logits (..., L).

    window: w in cycles, 1 .. L, for failure_probability.
    """
    if name == "oti":
        return critical_cost(logits)
    if name == "time_to_event_threshold":
        return restricted_mean(logits).double()
    assert window is not None
    return _failure_probability(log_survival(logits.double()[..., :window]), window)


def intervenes(name: str, score: Tensor, threshold: float) -> Tensor:
    """Whether the policy `name` intervenes, bool, (...), by its `policy_score`."""
    return score <= threshold if _SIDES[name] == "below" else score >= threshold


def windows_to_try(horizon: int) -> list[int]:
    """1, 2, 4, ... up to the horizon, and the horizon, in cycles."""
    return [2**power for power in range(horizon.bit_length()) if 2**power < horizon] + [horizon]


def policy_trade_offs(
    logits: Tensor, unit: Tensor, time_to_event: Tensor, window: int, lead_time: int = 1
) -> dict[str, TradeOff]:
    """The trade-off of each of `POLICIES` on whole units that ran to failure.

    Args:
        logits: forecasts of every row, (N, L). unit: (N,), a unit's rows in the order of time. time_to_event: (N,).
        window: w of failure_probability, in cycles.
        lead_time: the cycles that an intervention must leave before the failure.
    """
    scores = {name: policy_score(name, logits, window) for name in POLICIES}
    return {name: _trade_off(name, score, unit, time_to_event, lead_time) for name, score in scores.items()}


def best_window(logits: Tensor, unit: Tensor, time_to_event: Tensor, lead_time: int = 1) -> int:
    """The window w with which failure_probability gives up least at 5 % missed (if equal, at 10 %), in cycles."""

    log_survivals = log_survival(logits.double())

    def given_up(window: int) -> list[float]:
        score = _failure_probability(log_survivals, window)
        curve = _trade_off("failure_probability", score, unit, time_to_event, lead_time)
        points = [curve.best(miss_rate) for miss_rate in MISS_RATES.values()]
        return [np.inf if point is None else float(point.mean_time_to_event or 0) for point in points]

    return min(windows_to_try(logits.shape[-1])[::-1], key=given_up)


def compare_policies(trade_offs: Mapping[str, TradeOff], tuned_on: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The policies as they stand in test_metrics.json under `policies`.

    Args:
        trade_offs: of `policy_trade_offs`.
        tuned_on: what this function gave for the validation units; None to tune on these units themselves.

    Returns:
        for each of `POLICIES` the `curve` (points of `TradeOff.curve`); `at_miss_rate`, for each of `MISS_RATES` the
        smallest mean time to event on the curve of these very units; and `tuned`, the point with the threshold that
        was tuned on validation units. None where no threshold reaches the miss rate, or no
        unit was seen to fail.
    """
    result: dict[str, Any] = {}
    for name, curve in trade_offs.items():
        best = {label: curve.best(miss_rate) for label, miss_rate in MISS_RATES.items()}
        if tuned_on is None:
            tuned = best
        else:
            thresholds = {label: point and point["threshold"] for label, point in tuned_on[name]["tuned"].items()}
            played = curve.num_units > 0
            tuned = {label: curve.at(x) if played and x is not None else None for label, x in thresholds.items()}
        result[name] = {
            "curve": [asdict(point) for point in curve.curve()],
            "at_miss_rate": {label: point and point.mean_time_to_event for label, point in best.items()},
            "tuned": {label: point and asdict(point) for label, point in tuned.items()},
        }
    return result


def _failure_probability(log_survivals: Tensor, window: int) -> Tensor:
    return -log_survivals[..., window - 1].expm1()


def _trade_off(name: str, score: Tensor, unit: Tensor, time_to_event: Tensor, lead_time: int) -> TradeOff:
    return trade_off(score.cpu().numpy(), unit.cpu().numpy(), time_to_event.cpu().numpy(), _SIDES[name], lead_time)

"""The metrics of a model's forecasts on a data split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.evaluation.forecasts import whole_lives
from ddrsa.evaluation.steps import EvaluationSteps
from ddrsa.evaluation.times import ages, ends_of_lives, observed_times
from ddrsa.evaluation.uncertainty import Judged, by_unit, confidence_intervals
from ddrsa.survival import metrics
from ddrsa.survival.age_alone import constant_hazard, constant_hazard_nll, survival_by_age
from ddrsa.survival.calibration.measures import calibration_errors, d_calibration, observed_failures, reliability
from ddrsa.survival.conformal import Conformal
from ddrsa.survival.hazard import survival
from ddrsa.survival.intervals import coverage_sums, evaluate_intervals, interval_ends
from ddrsa.survival.landmarks import landmarks
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.survival.pairs import concordance_of
from ddrsa.survival.policies import Lives, evaluate_policies
from ddrsa.survival.policy_options import PolicyOptions
from ddrsa.survival.unit_bootstrap import draws

NO_WISHES = PolicyOptions()


def evaluate(
    raw: Tensor,
    test: Sequences,
    training: Sequences,
    horizon: int,
    tuned_on: Mapping[str, Any] | None = None,
    calibrate: Callable[[Tensor], tuple[Tensor, Tensor]] = lambda logits: (logits, logits),
    policy: PolicyOptions = NO_WISHES,
    held_out: Lives | None = None,
    conformal: Conformal | None = None,
    by_subset: Callable[[Sequences], Mapping[str, Sequences]] = lambda _: {},
    steps: int | None = None,
) -> dict[str, Any]:
    """The metrics of forecasts of every window of `test`, as they stand in test_metrics.json.

    raw: (N, L) hazard logits, as the model gives them.
    calibrate: from the hazard logits of all windows, as `model` gives them, to those that are judged and to those in
    use, by which the policies decide. On validation units these are others: a threshold that was tuned on forecasts of
    several calibrations, each fitted without the unit that it judges, would mean something else for the one in use.
    by_subset: from units to those of each subset; then `by_subset` has the metrics of each. Thresholds, calibration
    and promises are those of all together.

    The other arguments, and what is returned: of `measure`.
    """
    whole, used = calibrate(raw)
    wanted = (policy, tuned_on, held_out, conformal, steps)
    result = measure(raw, whole, used, test, training, horizon, *wanted)
    trained = by_subset(training)
    for name, part in by_subset(test).items():
        rows = torch.from_numpy(np.isin(test.unit, part.unit_ids)).to(raw.device)
        found = measure(raw[rows], whole[rows], used[rows], part, trained[name], horizon, *wanted)
        del found["by_unit"]
        result.setdefault("by_subset", {})[name] = found
    return result


def measure(
    raw: Tensor,
    whole: Tensor,
    used: Tensor,
    test: Sequences,
    training: Sequences,
    horizon: int,
    policy: PolicyOptions = NO_WISHES,
    tuned_on: Mapping[str, Any] | None = None,
    held_out: Lives | None = None,
    conformal: Conformal | None = None,
    steps: int | None = None,
) -> dict[str, Any]:
    """The metrics of forecasts of every window of `test`, with the intervals of each (`confidence_intervals`).

    raw, whole, used: (N, L) hazard logits, as the model gives them, calibrated, and those that policies decide by.
    horizon: the steps up to which forecasts are measured; they may reach further, and a policy reads all.
    tuned_on: the metrics of the validation units, for the thresholds of the policies; None to tune on `test` itself.
    policy: how the policies are judged. held_out: of `independent_lives`, for its guarantee.
    conformal: intervals to be judged beside the model's own.
    steps: how many steps of these make one of the measured steps; None to measure in their own. `horizon`, and all that
    is measured but policies, is then in measured steps, at the rows of `EvaluationSteps`.

    Errors are in cycles and over the windows whose event is inside the horizon, as is `nasa_score`, their mean penalty;
    but `restricted_rmse`, that of E[min(tau, L)], is over all windows whose min(tau, L) is known; concordance and Brier
    score over all windows, weighed by the censoring of the `training` units; the policy over whole units whose failure
    was seen. Beside them stand the age alone and one constant hazard, fitted to the training units. NaN (null in the
    file) where a metric has nothing to count.
    """
    lives = whole_lives(used, test)
    # The units of the policies in the order of their numbers, as `trade_off` counts them.
    place = {unit: number for number, unit in enumerate(test.unit_ids.tolist())}
    drawn = draws(test.num_units)[:, [place[unit] for unit in lives.lives[0].tolist()]]
    policies = evaluate_policies(lives, policy, tuned_on, held_out, drawn)
    of_policies = policies.pop("confidence_intervals")
    if steps is None:
        raw, logits = raw[:, :horizon], whole[:, :horizon]
    else:
        at = EvaluationSteps(test, steps, horizon)
        raw, logits, test = at.measured(raw), at.measured(whole), at.units
        training = EvaluationSteps(training, steps, horizon).units
    judged = _judged(logits, test, training, horizon)
    time, event = judged.time, judged.event
    ends = {"intervals": interval_ends(judged.survival)}
    if conformal is not None:
        ends["conformal"] = conformal.ends(judged.survival)
    covered = {
        kind: coverage_sums(each, time, event, horizon, judged.number, test.num_units) for kind, each in ends.items()
    }
    held = {kind: evaluate_intervals(each, time, event, horizon, test.unit) for kind, each in ends.items()}
    return {
        **_scores(judged),
        "by_unit": by_unit(judged),
        "confidence_intervals": {**confidence_intervals(judged, covered), **of_policies},
        **policies,
        "calibration": {
            "event_share": observed_failures(time, event, horizon) if len(time) else float("nan"),
            **_calibration(judged.survival, time, event),
            "raw": _calibration(_survivals(raw), time, event),
            "d_calibration": d_calibration(judged.survival, time, event, test.unit),
            "reliability": reliability(judged.survival, time, event),
        },
        "intervals": held["intervals"],
        **({} if conformal is None else {"conformal": {**conformal.to_dict(), "intervals": held["conformal"]}}),
        "num_units": test.num_units,
        "num_censored_units": int((~test.unit_event_observed).sum()),
        "num_windows": len(time),
        "num_event_windows": int(event.sum()),
    }


def shortcomings(metrics: Mapping[str, Any]) -> list[str]:
    """What a forecast does not better than without any sensor, in words, from the metrics of `evaluate`."""
    said = {
        "concordance_above_age": "its concordance does not beat the age of the units alone",
        "nll_below_constant_hazard": "its likelihood does not beat one constant hazard",
    }
    parts = {"": metrics, **{f" of {name}": part for name, part in metrics.get("by_subset", {}).items()}}
    return [
        f"on the test units{of} {words}"
        for of, part in parts.items()
        for name, words in said.items()
        if part[name] <= 0
    ]


def _judged(logits: Tensor, test: Sequences, training: Sequences, horizon: int) -> Judged:
    tau, seen = (torch.from_numpy(np.array(each)) for each in (test.time_to_event, test.event_observed))
    nll = negative_log_likelihood(logits, tau.to(logits.device), seen.to(logits.device))
    time, event = observed_times(test, horizon)
    known_training = observed_times(training, horizon)
    survivals = _survivals(logits)
    age, lives = ages(test), ends_of_lives(training)
    of_units = metrics.CensoringDistribution.fit(*lives)
    by_age = survival_by_age(*lives, age, horizon)
    hazard = constant_hazard(*known_training, horizon)
    return Judged(
        test,
        time,
        event,
        age,
        survival=survivals,
        by_age=by_age,
        nll=nll.double().cpu().numpy(),
        constant_nll=constant_hazard_nll(hazard, time, event, horizon),
        brier=metrics.brier_scores(time, event, survivals, of_units, age),
        age_brier=metrics.brier_scores(time, event, by_age, of_units, age),
        censoring=metrics.CensoringDistribution.fit(*known_training),
    )


def _scores(judged: Judged) -> dict[str, Any]:
    time, event, predicted, known = judged.time, judged.event, judged.predicted, judged.known
    concordance = {name: concordance_of(pairs) for name, pairs in judged.pairs.items()}
    nll, nll_of_constant = float(judged.nll.mean()), float(judged.constant_nll.mean())

    def brier(scores: metrics.Floats, counts: metrics.Bools) -> float:
        return float(metrics.integrated(metrics.ratio(scores.sum(0), counts.sum(0))))

    return {
        "rul_mae": metrics.mean_absolute_error(predicted[event], time[event]),
        "rul_rmse": metrics.root_mean_squared_error(predicted[event], time[event]),
        "restricted_rmse": metrics.root_mean_squared_error(predicted[known], time[known]),
        "nasa_score": metrics.mean_nasa_penalty(predicted[event], time[event]),
        **concordance,
        "integrated_brier_score": brier(*judged.brier),
        "nll": nll,
        "age_integrated_brier_score": brier(*judged.age_brier),
        "constant_hazard_nll": nll_of_constant,
        "concordance_above_age": concordance["concordance_index"] - concordance["age_concordance_index"],
        "nll_below_constant_hazard": nll_of_constant - nll,
        "landmarks": landmarks(time, event, predicted, judged.brier, judged.age_brier, judged.age),
    }


def _calibration(survivals: metrics.Floats, time: metrics.Floats, event: metrics.Bools) -> dict[str, Any]:
    """`mean_event_probability`, of an event inside the horizon, and `error`, the expected calibration errors."""
    return {
        "mean_event_probability": float((1 - survivals[:, -1]).mean()),
        "error": calibration_errors(reliability(survivals, time, event)),
    }


def _survivals(logits: Tensor) -> metrics.Floats:
    return np.asarray(survival(logits.double()).cpu().numpy())

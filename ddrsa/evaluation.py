"""Evaluation: the metrics of a model's forecasts on a data split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel
from ddrsa.models.forecast import forecast, forecast_batch_size, forecast_windows
from ddrsa.survival import metrics
from ddrsa.survival.age_alone import (
    constant_hazard,
    constant_hazard_nll,
    landmark_concordance,
    landmarks,
    survival_by_age,
)
from ddrsa.survival.calibration.measures import calibration_errors, d_calibration, observed_failures, reliability
from ddrsa.survival.conformal import Conformal, fit_conformal
from ddrsa.survival.hazard import restricted_mean, survival
from ddrsa.survival.intervals import evaluate_intervals
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.survival.policies import Lives, evaluate_policies
from ddrsa.survival.policy_options import PolicyOptions
from ddrsa.survival.precision import to_float64, where_float64_is
from ddrsa.survival.unit_bootstrap import LEVEL, RESAMPLES, UnitSums, concordance_interval, draws, interval

# The official C-MAPSS protocol caps both the true and the predicted remaining useful life (Heimes, PHM 2008).
OFFICIAL_CAP = 125
NO_WISHES = PolicyOptions()


def observed_times(sequences: Sequences, horizon: int) -> tuple[metrics.Floats, metrics.Bools]:
    """The time of each window as survival metrics see it, min(tau, L), and whether the event is seen before L; (N,).

    The time of a window that is censored after c cycles is c, but L where c is L - 1: it is known to outlive that.
    """
    time = sequences.time_to_event.astype(np.float64)
    outlived = time >= np.where(sequences.event_observed, horizon, horizon - 1)
    return np.where(outlived, float(horizon), time), sequences.event_observed & ~outlived


def evaluate(
    model: DDRSAModel,
    test: Sequences,
    training: Sequences,
    lookback: int,
    horizon: int,
    device: torch.device,
    tuned_on: Mapping[str, Any] | None = None,
    calibrate: Callable[[Tensor], Tensor] = lambda logits: logits,
    policy: PolicyOptions = NO_WISHES,
    held_out: Lives | None = None,
    conformal: Conformal | None = None,
) -> dict[str, Any]:
    """The metrics of `model` on every window of `test`, as they stand in test_metrics.json.

    horizon: L, the steps up to which forecasts are measured; `model` may forecast more, and a policy reads all.
    tuned_on: the metrics of the validation units, for the thresholds of the policies; None to tune on `test` itself.
    calibrate: from the hazard logits of all windows, as `model` gives them, to those that are judged.
    policy: how the policies are judged. held_out: of `independent_lives`, for its guarantee.
    conformal: intervals to be judged beside the model's own.

    Errors are in cycles and over the windows whose event is inside the horizon, as is `nasa_score`, their mean penalty;
    but `restricted_rmse`, that of E[min(tau, L)], is over all windows whose min(tau, L) is known; concordance and Brier
    score over all windows, weighed by the censoring of the `training` units; the policy over whole units whose failure
    was seen. Beside them stand the age alone and one constant hazard, fitted to the training units. NaN (null in the
    file) where a metric has nothing to count.
    """
    windows = Windows(test, lookback, device)
    raw = forecast_rows(model, test, lookback, device)
    whole = calibrate(raw)
    raw, logits = raw[:, :horizon], whole[:, :horizon]
    time_to_event, event_observed = map(where_float64_is, (windows.time_to_event, windows.event_observed))
    predicted = restricted_mean(logits).double().cpu().numpy()
    time, event = observed_times(test, horizon)
    known_training = observed_times(training, horizon)
    censoring = metrics.CensoringDistribution.fit(*known_training)
    nll = negative_log_likelihood(logits, time_to_event, event_observed)
    known = event | (time >= horizon)
    survivals = survival(logits).double().cpu().numpy()
    age = _ages(test)
    lives = ends_of_lives(training)
    of_units = metrics.CensoringDistribution.fit(*lives)
    scores, counts = metrics.brier_scores(time, event, survivals, of_units, age)
    by_age = survival_by_age(*lives, age, horizon)
    hazard = constant_hazard(*known_training, horizon)
    concordance = metrics.concordance_index(time, event, predicted)
    of_age = metrics.concordance_index(time, event, by_age.sum(1))
    mean_nll, nll_of_constant = float(nll.double().mean()), constant_hazard_nll(hazard, time, event, horizon)
    number = np.searchsorted(test.starts, np.arange(test.num_rows), side="right") - 1
    errors = {"error": predicted - time, "nll": nll.double().cpu().numpy(), "event": event, "known": known}
    return {
        "rul_mae": metrics.mean_absolute_error(predicted[event], time[event]),
        "rul_rmse": metrics.root_mean_squared_error(predicted[event], time[event]),
        "restricted_rmse": metrics.root_mean_squared_error(predicted[known], time[known]),
        "nasa_score": metrics.mean_nasa_penalty(predicted[event], time[event]),
        "concordance_index": concordance,
        "concordance_index_ipcw": metrics.concordance_index(time, event, predicted, censoring),
        "integrated_brier_score": float(metrics.integrated(metrics.ratio(scores.sum(0), counts.sum(0)))),
        "nll": mean_nll,
        "age_concordance_index": of_age,
        "age_integrated_brier_score": metrics.integrated_brier_score(time, event, by_age, of_units, age),
        "constant_hazard_nll": nll_of_constant,
        "concordance_above_age": concordance - of_age,
        "nll_below_constant_hazard": nll_of_constant - mean_nll,
        "landmark_concordance_index": landmark_concordance(time, event, predicted, age),
        "landmarks": landmarks(time, event, predicted, survivals, by_age, age, of_units),
        **_of_units(number, test.unit_ids, errors, (scores, counts), (time, event, predicted)),
        **evaluate_policies(whole_lives(whole, test), policy, tuned_on, held_out),
        "calibration": {
            "event_share": observed_failures(time, event, horizon) if len(time) else float("nan"),
            **_calibration(survivals, time, event),
            "raw": _calibration(survival(raw).double().cpu().numpy(), time, event),
            "d_calibration": d_calibration(survivals, time, event, test.unit),
            "reliability": reliability(survivals, time, event),
        },
        "intervals": evaluate_intervals(logits, time, event, test.unit),
        **_conformal(conformal, logits, time, event, test.unit),
        "num_units": test.num_units,
        "num_censored_units": int((~test.unit_event_observed).sum()),
        "num_windows": len(windows),
        "num_event_windows": int(event.sum()),
    }


def shortcomings(metrics: Mapping[str, Any]) -> list[str]:
    """What a forecast does not better than without any sensor, in words, from the metrics of `evaluate`."""
    said = {
        "concordance_above_age": "its concordance does not beat the age of the units alone",
        "nll_below_constant_hazard": "its likelihood does not beat one constant hazard",
    }
    return [f"on the test units {words}" for name, words in said.items() if metrics[name] <= 0]


def ends_of_lives(sequences: Sequences) -> tuple[metrics.Floats, metrics.Bools]:
    """The age of each unit, in rows from 0, at its failure or else at its last row, and whether it failed; (U,)."""
    last = np.append(sequences.starts[1:], sequences.num_rows) - 1
    failed = sequences.event_observed[last]
    beyond = np.where(failed, sequences.time_to_event[last], 0).astype(np.float64)
    return last - sequences.starts + beyond, failed


def _ages(sequences: Sequences) -> metrics.Floats:
    """The age of the unit at each row, in rows from 0, (N,)."""
    return (np.arange(sequences.num_rows) - sequences.unit_start_of_row).astype(np.float64)


def _of_units(
    number: NDArray[np.int64],
    unit_ids: NDArray[np.int64],
    values: Mapping[str, Any],
    brier: tuple[metrics.Floats, metrics.Bools],
    ranked: tuple[metrics.Floats, metrics.Bools, metrics.Floats],
) -> dict[str, Any]:
    """`by_unit`, the sums that metrics are made of, and `confidence_intervals` by the bootstrap over units."""
    num_units = len(unit_ids)
    error, event, known = values["error"], values["event"], values["known"]
    penalty = np.expm1(np.where(error < 0, -error / 13, error / 10))
    everything = np.ones(len(number), dtype=np.bool_)
    sums = {
        "rul_mae": UnitSums.of(np.abs(error), event, number, num_units),
        "rul_rmse": UnitSums.of(error**2, event, number, num_units, root=True),
        "restricted_rmse": UnitSums.of(error**2, known, number, num_units, root=True),
        "nasa_score": UnitSums.of(penalty, event, number, num_units),
        "nll": UnitSums.of(values["nll"], everything, number, num_units),
    }
    weights = draws(num_units)
    intervals = {name: interval(each.resampled(weights)) for name, each in sums.items()}
    of_steps = [np.zeros((num_units, brier[0].shape[1])) for _ in brier]
    for total, part in zip(of_steps, brier, strict=True):
        np.add.at(total, number, part)
    curves = metrics.ratio(weights @ of_steps[0], weights @ of_steps[1])
    intervals["integrated_brier_score"] = interval(metrics.integrated(curves))
    intervals["concordance_index"] = concordance_interval(*ranked, number)
    return {
        "by_unit": {"unit": unit_ids.tolist(), **{name: each.to_dict() for name, each in sums.items()}},
        "confidence_intervals": {"level": LEVEL, "resamples": RESAMPLES, **intervals},
    }


def _calibration(survivals: metrics.Floats, time: metrics.Floats, event: metrics.Bools) -> dict[str, Any]:
    """`mean_event_probability`, of an event inside the horizon, and `error`, the expected calibration errors."""
    return {
        "mean_event_probability": float((1 - survivals[:, -1]).mean()),
        "error": calibration_errors(reliability(survivals, time, event)),
    }


def _conformal(
    conformal: Conformal | None, logits: Tensor, time: metrics.Floats, event: metrics.Bools, unit: NDArray[np.int64]
) -> dict[str, Any]:
    if conformal is None:
        return {}
    judged = evaluate_intervals(logits, time, event, unit, conformal.interval)
    return {"conformal": {**conformal.to_dict(), "intervals": judged}}


def conformal_of(lives: Lives, units: str) -> Conformal | None:
    """Conformal intervals from `lives`, `units` as of `Conformal`; None where there are none."""
    if not len(lives.unit):
        return None
    unit, tau = lives.unit.cpu().numpy(), lives.time_to_event.double().cpu().numpy()
    return fit_conformal(lives.logits, unit, tau, units)


def whole_lives(logits: Tensor, sequences: Sequences) -> Lives:
    """The forecasts (N, L) of `sequences` at the rows of the units that were seen up to their failure."""
    ends = sequences.unit[sequences.event_observed & (sequences.time_to_event == 0)]
    rows = torch.from_numpy(np.flatnonzero(np.isin(sequences.unit, ends)))
    unit, time_to_event = (torch.from_numpy(np.array(values)) for values in (sequences.unit, sequences.time_to_event))
    return Lives(logits[rows.to(logits.device)], unit[rows], time_to_event[rows])


def independent_lives(model: DDRSAModel, units: Sequences, lookback: int, device: torch.device) -> Lives:
    """The forecasts of units that failed and have nothing to do with each other: of a group of units, one at random."""
    failed = np.intersect1d(units.unit_ids, units.unit[units.event_observed & (units.time_to_event == 0)])
    shuffled = np.random.default_rng(0).permutation(failed)
    group = dict(zip(units.unit_ids.tolist(), units.unit_groups.tolist(), strict=True))
    one_of_each = {group[unit]: unit for unit in shuffled.tolist()}
    chosen = units.select_units(sorted(one_of_each.values())) if one_of_each else units
    return whole_lives(forecast_rows(model, chosen, lookback, device), chosen)


def forecast_rows(model: DDRSAModel, sequences: Sequences, lookback: int, device: torch.device) -> Tensor:
    """Hazard logits (N, L) at every row."""
    windows = Windows(sequences, lookback, device, ages=model.reads_age)
    return where_float64_is(forecast_windows(model, windows))


def evaluate_official(model: DDRSAModel, official: Sequences, lookback: int, device: torch.device) -> dict[str, Any]:
    """The official C-MAPSS protocol: the last window of each test engine against the RUL file, both capped at 125.

    The forecast is E[min(tau, 125)]. It cannot exceed the horizon, so a horizon below 125 makes these worse than the
    model is.
    """
    windows = Windows(official, lookback, device, ages=model.reads_age)
    last_rows = np.append(official.starts[1:], official.num_rows) - 1
    batch = windows.gather(torch.from_numpy(last_rows).to(device))
    logits = forecast(model, batch.windows.split(forecast_batch_size(model, lookback, device)))
    predicted = to_float64(restricted_mean(logits[:, :OFFICIAL_CAP])).cpu().numpy()
    true = np.minimum(np.asarray(official.time_to_event[last_rows], np.float64), OFFICIAL_CAP)
    engine = np.arange(len(true))
    everyone = np.ones(len(true), dtype=np.bool_)
    error = UnitSums.of((predicted - true) ** 2, everyone, engine, len(true), root=True)
    weights = draws(len(true))
    return {
        "official_rmse": metrics.root_mean_squared_error(predicted, true),
        "official_score": metrics.nasa_score(predicted, true),
        "official_rmse_interval": interval(error.resampled(weights)),
    }

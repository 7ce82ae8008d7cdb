from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ddrsa.data.load import load_dataset
from ddrsa.data.sequences import ARRAYS, Sequences
from ddrsa.data.windows import Windows
from ddrsa.evaluation.evaluate import evaluate
from ddrsa.evaluation.forecasts import forecast_rows
from ddrsa.evaluation.official import evaluate_official
from ddrsa.models.base import DDRSAModel
from ddrsa.models.build import build_model
from ddrsa.models.options import RecurrentOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.training.options import TrainingOptions
from ddrsa.training.trainer import train

CPU = torch.device("cpu")


class Clairvoyant(DDRSAModel):
    """Reads the time to event from the first feature and is sure of it, or off by `error` cycles."""

    def __init__(self, horizon: int, error: int = 0) -> None:
        super().__init__()
        self.horizon, self.error, self.steps_at_once = horizon, error, 1000

    def forward(self, windows: Tensor) -> Tensor:
        tau = windows[:, -1, 0] + self.error
        steps = torch.arange(self.horizon)
        return torch.where(steps >= tau[:, None], 40.0, -40.0)


def evaluated(
    model: DDRSAModel, test: Sequences, training: Sequences, lookback: int, horizon: int, **more: Any
) -> dict[str, Any]:
    return evaluate(forecast_rows(model, test, lookback, CPU), test, training, horizon, **more)


def with_answer(sequences: Sequences) -> Sequences:
    return sequences.with_features(sequences.time_to_event[:, None], ("time_to_event",))


def test_clairvoyant_model_is_perfect(fleet: Sequences) -> None:
    fleet = fleet.select_units([u for u in fleet.unit_ids if u not in (3, 8)])
    data = with_answer(fleet)
    result = evaluated(Clairvoyant(12), data, data, lookback=4, horizon=12)
    assert result["rul_mae"] == pytest.approx(0, abs=1e-5)
    assert result["nasa_score"] == pytest.approx(0, abs=1e-4)
    assert result["concordance_index"] == result["concordance_index_ipcw"] == 1.0
    assert result["integrated_brier_score"] == pytest.approx(0, abs=1e-6)
    assert result["num_units"] == 10
    assert result["num_windows"] == fleet.num_rows
    assert result["num_event_windows"] == (fleet.time_to_event < 12).sum()


def test_policy_of_a_sure_forecast_stops_at_the_forecast_failure(fleet: Sequences) -> None:
    data = with_answer(fleet.select_units([1, 2, 4]))
    for error, expected in ((-1, (0.0, 1.0)), (-4, (0.0, 4.0)), (0, (1.0, None)), (2, (1.0, None))):
        # Sure that nothing fails before, it waits; one cycle early is in time, the row of the failure is too late.
        result = evaluated(Clairvoyant(60, error), data, data, lookback=4, horizon=60)
        assert {(outcome["miss_rate"], outcome["mean_time_to_event"]) for outcome in result["oti"]} == {expected}


def test_known_error_gives_known_scores(fleet: Sequences) -> None:
    fleet = fleet.select_units([1, 2, 4])
    data = with_answer(fleet)
    result = evaluated(Clairvoyant(200, error=5), data, data, lookback=1, horizon=200)
    assert result["rul_mae"] == pytest.approx(5)
    assert result["rul_rmse"] == pytest.approx(5)
    assert result["nasa_score"] == pytest.approx(np.exp(0.5) - 1, rel=1e-5)


def test_censored_units_are_no_events_and_not_in_the_policy(fleet: Sequences) -> None:
    data = with_answer(fleet)
    result = evaluated(Clairvoyant(12), data, data, lookback=4, horizon=12)
    seen = fleet.event_observed & (fleet.time_to_event < 12)
    assert result["num_censored_units"] == 2
    assert result["num_event_windows"] == seen.sum()
    only_censored = with_answer(fleet.select_units([3, 8]))
    result = evaluated(Clairvoyant(12), only_censored, data, lookback=4, horizon=12)
    assert result["oti"] == []
    assert result["oti_at_miss_rate"] == {"5%": None, "10%": None}
    assert result["policies"]["failure_probability"]["curve"] == []
    assert np.isnan(result["rul_mae"])
    assert np.isnan(result["nasa_score"])


def test_every_policy_is_tuned_on_the_validation_units(fleet: Sequences) -> None:
    validation, test = (with_answer(fleet.select_units(units)) for units in ([1, 2, 4, 5], [6, 7, 9, 10]))
    # Sure of a failure 3 cycles before it comes: each policy can wait until then, and no longer.
    model, sizes = Clairvoyant(60, -3), (4, 60)
    tuned = evaluated(model, validation, fleet, *sizes)
    result = evaluated(model, test, fleet, *sizes, tuned_on=tuned)
    json.dumps(result)  # plain values
    for policy in ("oti", "failure_probability"):
        point = result["policies"][policy]["tuned"]["5%"]
        assert (point["miss_rate"], point["mean_time_to_event"]) == (0, 3)
    assert result["oti_at_miss_rate"] == {"5%": 3, "10%": 3}
    # The predicted time tells the cycles apart that come after the forecast failure too, so it can wait longer.
    point = result["policies"]["time_to_event_threshold"]["tuned"]["5%"]
    assert point["miss_rate"] == 0
    assert point["mean_time_to_event"] <= 3


def test_calibration_of_a_clairvoyant_model(fleet: Sequences) -> None:
    data = with_answer(fleet.select_units([1, 2, 4, 5, 6]))
    right = evaluated(Clairvoyant(60), data, data, lookback=4, horizon=60)
    # All of the probability is at the one cycle in which the unit fails.
    np.testing.assert_allclose(right["calibration"]["d_calibration"]["bins"], 0.1, atol=1e-6)
    assert right["intervals"]["90%"]["coverage"] == 1
    assert right["intervals"]["90%"]["mean_width"] == 0
    wrong = evaluated(Clairvoyant(60, 5), data, data, lookback=4, horizon=60)
    assert wrong["calibration"]["d_calibration"]["bins"][-1] == pytest.approx(1)
    assert wrong["intervals"]["90%"]["coverage"] == 0
    assert wrong["calibration"]["reliability"][0]["expected_calibration_error"] > 0


def test_restricted_error_counts_every_window_whose_restricted_time_is_known(fleet: Sequences) -> None:
    horizon, error = 9, 2
    result = evaluated(Clairvoyant(horizon, error), with_answer(fleet), fleet, lookback=2, horizon=horizon)
    tau = fleet.time_to_event
    # A censored unit's are known where it was seen for another 8 cycles or more: it fails after them, so they are 9.
    outlives = ~fleet.event_observed & (tau >= horizon - 1)
    true = np.where(outlives, horizon, np.minimum(tau, horizon))
    known = fleet.event_observed | outlives
    expected = np.sqrt(((np.minimum(tau + error, horizon) - true)[known] ** 2).mean())
    assert result["restricted_rmse"] == pytest.approx(expected, rel=1e-5)
    assert 0 < known.sum() < len(tau)
    assert (tau[outlives] == horizon - 1).any()


def test_units_not_seen_to_fail_are_not_in_the_policy(fleet: Sequences) -> None:
    whole = with_answer(fleet.select_units([1, 2, 4]))
    cut = whole.time_to_event >= 3
    truncated = replace(whole, **{name: getattr(whole, name)[cut] for name in ARRAYS})
    result = evaluated(Clairvoyant(12), truncated, whole, lookback=4, horizon=12)
    assert result["oti"] == []
    assert result["rul_mae"] == pytest.approx(0, abs=1e-5)


def test_nll_is_the_mean_over_windows(fleet: Sequences) -> None:
    torch.manual_seed(0)
    model = build_model(RecurrentOptions("gru", 4, 1), num_features=2, lookback=5, horizon=9, dropout=0.0)
    windows = Windows(fleet, 5)
    batch = windows.gather(torch.arange(len(windows)))
    expected = negative_log_likelihood(model(batch.windows), batch.time_to_event, batch.event_observed).mean()
    result = evaluated(model, fleet, fleet, lookback=5, horizon=9)
    assert result["nll"] == pytest.approx(expected.item(), rel=1e-5)


def test_official_protocol_is_the_last_window_capped_at_125() -> None:
    rul = np.array([10.0, 124.0, 130.0, 200.0])
    lengths = np.array([3, 5, 2, 4])
    time_to_event = np.concatenate([r + np.arange(n)[::-1] for r, n in zip(rul, lengths, strict=True)])
    official = Sequences(
        time_to_event[:, None].astype(np.float32),
        np.repeat(np.arange(4), lengths),
        time_to_event.astype(np.float32),
        np.ones(14, bool),
        ("time_to_event",),
    )
    result = evaluate_official(Clairvoyant(300, error=7), official, lookback=3, device=CPU)
    errors = np.array([7.0, 1.0, 0.0, 0.0])  # 131 and 137 are capped, as is the truth
    assert result["official_rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)
    assert result["official_score"] == pytest.approx(np.expm1(errors / 10).sum(), rel=1e-4)


def test_trained_lstm_is_far_ahead_of_the_mean(tmp_path: Path) -> None:
    dataset = load_dataset({"name": "simulated", "num_units": 50}, data_dir=".", cache_dir=None, seed=0)
    torch.manual_seed(0)
    horizon, lookback = 64, 32
    model = build_model(
        RecurrentOptions("lstm", 16, 1),
        num_features=len(dataset.training.feature_names),
        lookback=lookback,
        horizon=horizon,
        dropout=0.0,
    )
    options = TrainingOptions(128, 0.01, 0.75, 0.0, 8, 0, 1e-4, 1.0, "cosine", 1.0, seed=0)
    train(
        model,
        Windows(dataset.training, lookback),
        Windows(dataset.validation, lookback),
        options,
        TrainingDirectory(tmp_path),
        {},
        lambda _: False,
    )
    result = evaluated(model, dataset.test, dataset.training, lookback, horizon)
    # Predicting the mean of 0 .. 63 for every window inside the horizon.
    event = dataset.test.time_to_event < horizon
    of_the_mean = np.std(dataset.test.time_to_event[event])
    assert result["rul_rmse"] < 0.6 * of_the_mean
    assert result["concordance_index"] > 0.9


def test_every_metric_of_the_units_has_an_interval(fleet: Sequences) -> None:
    """All numbers that come of the test units, but counts and tests of hypotheses."""
    torch.manual_seed(0)
    model = build_model(RecurrentOptions("gru", 4, 1), num_features=2, lookback=5, horizon=9, dropout=0.0)
    result = evaluated(model, fleet, fleet, lookback=5, horizon=9)
    intervals = result["confidence_intervals"]
    scalars = {key for key, value in result.items() if isinstance(value, float) and not key.startswith("num_")}
    assert scalars <= set(intervals)
    assert {"landmarks", "oti", "oti_at_miss_rate", "policies", "calibration", "intervals"} <= set(intervals)
    assert len(result["landmarks"]) == len(intervals["landmarks"]) > 0
    for point, interval in zip(result["landmarks"], intervals["landmarks"], strict=True):
        assert set(point) - {"num_units"} == set(interval)

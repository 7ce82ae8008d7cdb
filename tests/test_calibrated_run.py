"""The calibration from training to its checkpoint and to everything that forecasts with it."""

from __future__ import annotations

import copy
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ddrsa
from ddrsa.config import POLICY_FRACTION
from ddrsa.data.load import load_dataset
from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.errors import ConfigError, DataError
from ddrsa.evaluation.forecasts import forecast_rows, whole_lives
from ddrsa.models.forecast import forecast
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration, log_odds
from ddrsa.survival.conformal import fit_conformal
from ddrsa.survival.hazard import survival
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.survival.policies import Lives
from ddrsa.survival.policy_options import Guarantee
from ddrsa.survival.promise import promise
from ddrsa.survival.rivals import MISS_RATES, best_window, policy_trade_offs
from ddrsa.trained import TrainedRun, load_trained

SMALL = ["dataset.num_units=16", "dataset.censored_fraction=0.2", "lookback=6", "horizon=20", "num_epochs=2"]
SMALL += ["batch_size=256", "model.hidden_size=4", "device=cpu", "learning_rate=0.03"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibrated")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, ddrsa.TrainedModel]:
    """A run with each calibration, and one of the likelihood; the first three have the same weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DDRSA_LEASE_DIR", str(folder / "leases"))
        patch.setenv("DDRSA_CACHE_DIR", str(folder / "cache"))
        common = [*SMALL, "hydra.sweep.dir=sweep"]
        return {
            "none": ddrsa.train(["calibration=none", *common]),
            "odds": ddrsa.train(["calibration=odds", *common]),
            "fitted": ddrsa.train(common),
            "likelihood": ddrsa.train(["loss=likelihood", "ranking_weight=0.1", "calibration=odds", *common]),
        }


def validation_windows(run: TrainedRun, folder: Path) -> Windows:
    names = {"num_units": 16, "censored_fraction": 0.2, "name": "simulated"}
    data = load_dataset(names, data_dir=".", cache_dir=folder / "cache", seed=0)
    return Windows(data.validation, run.config.lookback)


def forecasts(run: TrainedRun, windows: Windows) -> tuple[torch.Tensor, torch.Tensor]:
    """Raw and calibrated hazard logits."""
    raw, calibrated = (forecast(m, (b.windows for b in windows.batches(512))) for m in (run.model.model, run.model))
    return raw, calibrated


def test_the_odds_of_every_forecast_are_corrected(runs: dict[str, ddrsa.TrainedModel], folder: Path) -> None:
    odds, plain = load_trained(runs["odds"].path), load_trained(runs["none"].path)
    assert odds.model.calibration == Calibration("odds", offset=math.log(0.25))
    assert plain.model.calibration.is_identity
    windows = validation_windows(odds, folder)
    raw, calibrated = forecasts(odds, windows)
    torch.testing.assert_close(raw, forecasts(plain, windows)[1])
    torch.testing.assert_close(log_odds(calibrated), log_odds(raw) + math.log(0.25), rtol=1e-4, atol=1e-4)
    # What ddrsa.load says is what the calibrated model says.
    fleet = pytest.importorskip("ddrsa.data.cmapss.simulated")
    table = fleet.simulate_fleet(fleet.SimulatedOptions(num_units=4)).table
    before, after = (ddrsa.load(runs[name].path).predict(table)["failure_probability"] for name in ("none", "odds"))
    np.testing.assert_allclose(after / (1 - after), before / (1 - before) / 4, rtol=1e-3)


def test_the_metrics_are_those_of_the_calibrated_forecasts(runs: dict[str, ddrsa.TrainedModel], folder: Path) -> None:
    run = load_trained(runs["odds"].path)
    windows = validation_windows(run, folder)
    raw, calibrated = forecasts(run, windows)
    validation = runs["odds"].metrics["validation"]
    expected = negative_log_likelihood(calibrated, windows.time_to_event, windows.event_observed).mean()
    assert validation["nll"] == pytest.approx(float(expected), rel=1e-5)
    found = validation["calibration"]
    for values, logits in ((found, calibrated), (found["raw"], raw)):
        probability = float((1 - survival(logits)[:, -1]).mean())
        assert values["mean_event_probability"] == pytest.approx(probability, rel=1e-5)
        assert set(values["error"]) == {"horizon", "half_horizon", "quarter_horizon"}
    assert found["raw"]["error"] == runs["none"].metrics["validation"]["calibration"]["error"]
    assert 0 < found["event_share"] < 1
    assert {key: runs["odds"].metrics["calibration"][key] for key in ("method", "slope")} == {
        "method": "odds",
        "slope": 1.0,
    }


def test_what_is_fitted_is_in_the_checkpoint_and_judged_out_of_fold(
    runs: dict[str, ddrsa.TrainedModel], folder: Path
) -> None:
    run = load_trained(runs["fitted"].path)
    assert run.model.calibration.method == "fitted"
    windows = validation_windows(run, folder)
    known = (windows.time_to_event, windows.event_observed)
    raw, calibrated = forecasts(run, windows)
    nll = {name: float(negative_log_likelihood(x, *known).mean()) for name, x in (("raw", raw), ("in", calibrated))}
    judged = runs["fitted"].metrics["validation"]["nll"]
    # Better than nothing on the units it was fitted on; worse than that on units that it was not fitted on.
    assert nll["in"] < nll["raw"]
    assert judged > nll["in"]
    log = (runs["fitted"].path / "training_log.csv").read_text().splitlines()
    column = log[0].split(",").index("validation_nll")
    best = runs["fitted"].metrics["best_epoch"]
    assert float(log[best].split(",")[column]) == pytest.approx(judged, rel=1e-5)


def test_the_likelihood_needs_no_correction(runs: dict[str, ddrsa.TrainedModel]) -> None:
    run = load_trained(runs["likelihood"].path)
    assert run.config.training.loss == "likelihood"
    assert run.model.calibration.is_identity
    assert (
        runs["likelihood"].metrics["calibration"]["raw"]["error"]
        == (runs["likelihood"].metrics["calibration"]["error"])
    )
    assert runs["likelihood"].metrics["best_validation_loss"] == pytest.approx(
        runs["likelihood"].metrics["validation"]["nll"], rel=1e-5
    )


def test_each_run_says_what_is_done_to_its_forecasts(runs: dict[str, ddrsa.TrainedModel]) -> None:
    said = {name: (run.path / "run.log").read_text() for name, run in runs.items()}
    assert "calibration=odds: the odds of an event inside the horizon are multiplied by 0.25" in said["odds"]
    assert "calibration=none: the odds of an event inside the horizon are 4 times too high by theory" in said["none"]
    assert "calibration=fitted: odds of an event inside the horizon to the power" in said["fitted"]
    assert "are multiplied by 1" in said["likelihood"]


def rewritten(run: ddrsa.TrainedModel, folder: Path, change: Any) -> Path:
    path = folder / "other.pt"
    content = copy.deepcopy(torch.load(TrainingDirectory(run.path).checkpoint_best, weights_only=True))
    content.pop("checksum")  # of the content before
    change(content)
    torch.save(content, path)
    return path


def test_a_checkpoint_of_an_earlier_version_is_not_calibrated_and_says_so(
    runs: dict[str, ddrsa.TrainedModel], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def as_before(content: dict[str, Any]) -> None:
        del content["calibration"]
        for key in ("loss", "ranking_weight", "calibration"):
            del content["config"][key]
        content["config"]["dataset"]["split_seed"] = None

    with caplog.at_level(logging.WARNING):
        run = load_trained(rewritten(runs["odds"], folder, as_before))
    assert run.model.calibration.is_identity
    assert run.config.training.calibration == "none"
    assert run.config.dataset.split_seed is None
    assert "comes from an earlier version" in caplog.text
    assert "4 times too high" in caplog.text


def test_a_checkpoint_with_a_wrong_calibration_is_refused(runs: dict[str, ddrsa.TrainedModel], folder: Path) -> None:
    def damage(content: dict[str, Any]) -> None:
        content["calibration"]["slope"] = float("nan")

    with pytest.raises(DataError, match="slope=nan"):
        load_trained(rewritten(runs["odds"], folder, damage))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["calibration=platt"], "calibration=platt: allowed is none, odds, fitted"),
        (["loss=mse"], "loss=mse: allowed is ddrsa, likelihood"),
        (
            ["lambda_param=1", "calibration=odds"],
            "calibration=odds: with lambda_param=1 the loss says nothing of the odds",
        ),
        (["ranking_weight=-1"], "ranking_weight=-1.0: allowed is 0 or more"),
    ],
)
def test_what_is_not_allowed_is_said(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        ddrsa.train([*overrides, *SMALL, f"hydra.sweep.dir={tmp_path}"])


def test_a_seed_changes_the_weights_and_not_the_split() -> None:
    def test_units(seed: int, **keys: Any) -> list[int]:
        data = load_dataset({"name": "simulated", "num_units": 12, **keys}, data_dir=".", cache_dir=None, seed=seed)
        return data.test.unit_ids.tolist()

    assert test_units(0) == test_units(1) == test_units(1, split_seed=0)
    assert test_units(0, split_seed=1) != test_units(0)
    # The seed of the run draws the split too, where it is told to.
    assert test_units(1, split_seed=None) == test_units(0, split_seed=1)


@pytest.mark.parametrize("kept", [False, True], ids=["validation units alone", "with policy units"])
def test_what_decides_is_tuned_on_the_forecasts_that_are_in_use(
    kept: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds, promises and conformal levels again, from the checkpoint of a fitted calibration."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(folder / "leases"))
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(folder / "cache"))
    wish = ["policy.guarantee.miss_rate=0.2", "policy.guarantee.confidence=0.8"] if kept else []
    result = ddrsa.train([*SMALL, "dataset.num_units=40", *wish, f"hydra.sweep.dir=in_use_{kept}"])
    run, metrics = load_trained(result.path), result.metrics
    assert run.model.calibration.method == "fitted"
    fraction = POLICY_FRACTION if kept else None
    names = {"num_units": 40, "censored_fraction": 0.2, "name": "simulated", "policy_fraction": fraction}
    data = load_dataset(names, data_dir=".", cache_dir=folder / "cache", seed=0)

    def lives(units: Sequences) -> Lives:
        return whole_lives(forecast_rows(run.model, units, run.config.lookback, torch.device("cpu")), units)

    def parts(of: Lives) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return of.logits, of.unit, of.time_to_event

    window = metrics["validation"]["policies"]["failure_probability"]["window"]
    validation = lives(data.validation)
    assert best_window(*parts(validation)) == window
    for name, curve in policy_trade_offs(*parts(validation), window).items():
        for label, rate in MISS_RATES.items():
            point = curve.best(rate)
            assert point is not None
            for part in (metrics, metrics["validation"]):
                assert part["policies"][name]["tuned"][label]["threshold"] == pytest.approx(point.threshold, rel=1e-5)
    # What is promised is tuned on units that chose neither epoch nor calibration, where such were kept.
    tuning = validation if data.policy is None else lives(data.policy)
    levels = fit_conformal(tuning.logits, tuning.unit.numpy(), tuning.time_to_event.double().numpy(), "").levels
    assert metrics["conformal"]["units"] == ("policy" if kept else "validation")
    np.testing.assert_allclose(metrics["conformal"]["levels"], levels, atol=1e-5)
    if kept:
        wanted = Guarantee(miss_rate=0.2, confidence=0.8)
        for name, curve in policy_trade_offs(*parts(tuning), window).items():
            expected = promise(curve, wanted)
            found = metrics["policies"][name]["promise"]
            assert found["threshold"] == pytest.approx(expected.threshold, rel=1e-5)
            assert (found["kept"], found["num_units"]) == (expected.kept, expected.num_units)

"""Exported pipelines, against the forecasts of predict."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.scaling import Scaler, fit_scaler
from ddrsa.data.sequences import Sequences
from ddrsa.export import onnx_file
from ddrsa.export.__main__ import exported_program, main
from ddrsa.export.onnx_file import onnx_bytes
from ddrsa.models.boosting import BoostedDDRSA
from ddrsa.models.build import build_model
from ddrsa.models.calibrated import CalibratedModel
from ddrsa.models.kaplan_meier import KaplanMeierDDRSA
from ddrsa.models.options import OPTIONS
from ddrsa.predict.forecasts import forecast_units
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration
from ddrsa.time_scale import TimeScale
from ddrsa.trained import TrainedRun, load_trained

LOOKBACK = 8
ATTENTION = {"d_model": 8, "num_heads": 2, "num_encoder_layers": 2, "num_decoder_layers": 1, "feedforward_size": 16}
SMALL: dict[str, dict[str, Any]] = {
    "tcn": {"channels": 8, "kernel_size": 3},
    "lstm": {"hidden_size": 8, "num_layers": 2},
    "gru": {"hidden_size": 8, "num_layers": 2},
    "transformer": {**ATTENTION, "rows_per_token": 3, "steps_per_query": 5},
    "probsparse": {**ATTENTION, "rows_per_token": 1, "factor": 1, "activation": "gelu"},
    "kaplan_meier": {},
    "boosting": {
        "trees_per_epoch": 12, "shrinkage": 0.3, "max_leaf_nodes": 8, "min_samples_leaf": 5, "max_rows": 1000,
    },
}  # fmt: skip
slow = pytest.mark.slow
pytestmark = pytest.mark.timeout(900)  # torch.export takes a minute of a core


@pytest.fixture(scope="module")
def fleet() -> Sequences:
    """Units in six operating conditions, some with fewer rows than the lookback."""
    fleet = simulate_fleet(SimulatedOptions(num_units=6, num_conditions=6, simulation_seed=2)).sequences()
    kept = (fleet.unit % 2 == 0) | (fleet.time_to_event >= fleet.lifetimes.min() + 3)
    rows = np.flatnonzero(kept & (np.arange(fleet.num_rows) - fleet.unit_start_of_row < 40))
    tau = fleet.time_to_event[rows]
    return Sequences(fleet.features[rows], fleet.unit[rows], tau, np.ones(len(rows), bool), fleet.feature_names)


def small_run(directory: TrainingDirectory, name: str, scaler: Scaler, slope: float = 1.3) -> TrainedRun:
    """A run like that of `directory`, with a small model of random weights, a scaling and a calibration."""
    run = load_trained(directory.path)
    options = OPTIONS[name](name=name, **SMALL[name])
    torch.manual_seed(0)
    model = build_model(
        options, num_features=len(scaler.kept), lookback=LOOKBACK, horizon=run.config.horizon, dropout=0.1
    )
    if isinstance(model, KaplanMeierDDRSA):
        lives = torch.tensor([20, 28, 35, 40, 52])
        model.fit(lives, torch.tensor([True, True, False, True, True]), bandwidth=3.0)
    elif isinstance(model, BoostedDDRSA):
        model.set_trees(-3.0, random_trees(12, model.num_columns))
    calibrated = CalibratedModel(model, Calibration("fitted", offset=-1.4, slope=slope)).eval()
    return replace(run, config=replace(run.config, model=options), model=calibrated, scaler=scaler)


def random_trees(number: int, num_columns: int) -> dict[str, torch.Tensor]:
    """Trees of two levels whose second ends early on one side, so that leaves have different depths."""
    left = torch.tensor([1, 3, 2, 3, 4]).expand(number, -1)
    right = torch.tensor([2, 4, 2, 3, 4]).expand(number, -1)
    feature = torch.randint(num_columns, (number, 5))
    # Ages and numbers of intervals are whole, and columns are scaled.
    threshold = torch.where(feature >= num_columns - 2, torch.randint(40, (number, 5)) + 0.5, torch.randn(number, 5))
    return {"left": left, "right": right, "feature": feature, "threshold": threshold, "value": torch.randn(number, 5)}


def ages_of(units: Sequences, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The number of each row within its unit, from 1."""
    return np.asarray(rows - units.unit_start_of_row[rows] + 1, dtype=np.int64)


def windows_of(units: Sequences, rows: np.ndarray[Any, Any], fill: float) -> tuple[np.ndarray[Any, Any], ...]:
    """What a program without torch would make of the rows: the last K of each unit, filled up before the first."""
    features = np.full((len(rows), LOOKBACK, len(units.feature_names)), fill)
    mask = np.zeros((len(rows), LOOKBACK), dtype=bool)
    for number, row in enumerate(rows):
        first = max(units.unit_start_of_row[row], row - LOOKBACK + 1)
        features[number, LOOKBACK - (row + 1 - first) :] = units.features[first : row + 1]
        mask[number, LOOKBACK - (row + 1 - first) :] = True
    return features, mask


@pytest.mark.parametrize(
    ("name", "scaling"),
    [
        ("tcn", "condition"),
        ("kaplan_meier", "minmax"),
        ("boosting", "condition"),
        *(pytest.param(name, "minmax", marks=slow) for name in ("lstm", "gru", "transformer", "probsparse")),
    ],
)
def test_onnxruntime_gives_what_predict_gives(
    trained_run: TrainingDirectory, fleet: Sequences, name: str, scaling: str
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    run = small_run(trained_run, name, fit_scaler(fleet, scaling))
    run = replace(run, inputs=None)
    session = onnxruntime.InferenceSession(onnx_bytes(run), providers=["CPUExecutionProvider"])
    rows = np.arange(fleet.num_rows)
    expected = forecast_units(run, fleet, rows, TimeScale())
    for batch in (1, 5, len(rows)):
        # What stands in the padding is of no account.
        features, mask = windows_of(fleet, rows[:batch], fill=-9999.0)
        given = {"features": features, "mask": mask}
        if run.model.reads_age:
            given["age"] = ages_of(fleet, rows[:batch])
        assert {each.name for each in session.get_inputs()} >= set(given) - {"features"}
        known = {each.name for each in session.get_inputs()}
        hazards, survival, rul = session.run(
            ["hazards", "survival", "rul"], {k: v for k, v in given.items() if k in known}
        )
        np.testing.assert_allclose(hazards, expected.hazards()[:batch], rtol=0, atol=1e-5)
        np.testing.assert_allclose(survival, expected.survival()[:batch], rtol=0, atol=1e-5)
        np.testing.assert_allclose(rul, expected.predictions()["rul"][:batch], rtol=1e-5, atol=1e-5)
    described = session.get_modelmeta().custom_metadata_map
    assert json.loads(described["features"]) == list(run.scaler.feature_names)
    assert (described["lookback"], described["horizon"]) == ("8", "24")


@slow
@pytest.mark.parametrize("name", ["tcn", "probsparse", "boosting"])
def test_exported_program_gives_what_predict_gives(
    trained_run: TrainingDirectory, fleet: Sequences, name: str, tmp_path: Path
) -> None:
    run = small_run(trained_run, name, fit_scaler(fleet, "minmax"))
    (tmp_path / "model.pt2").write_bytes(exported_program(run))
    program = torch.export.load(tmp_path / "model.pt2").module()
    rows = np.arange(fleet.num_rows)
    features, mask = (torch.from_numpy(array) for array in windows_of(fleet, rows, fill=0.0))
    expected = forecast_units(run, fleet, rows, TimeScale())
    for batch in (1, len(rows)):
        age = [torch.from_numpy(ages_of(fleet, rows[:batch]))] if run.model.reads_age else []
        hazards, _, rul = program(features[:batch], mask[:batch], *age)
        np.testing.assert_allclose(hazards.detach(), expected.hazards()[:batch], rtol=0, atol=1e-6)
        np.testing.assert_allclose(rul.detach(), expected.predictions()["rul"][:batch], rtol=1e-5)


def test_graph_that_says_something_else_is_not_written(
    trained_run: TrainingDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
    assert main([str(trained_run.path), str(tmp_path / "model.onnx")]) == 2
    assert "hazards by onnxruntime differ by" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN"], "1 arguments: a run directory and FILE.onnx"),
        (["RUN", "out.pb"], "out.pb: a file that ends in .onnx or .pt2"),
        (["nowhere", "out.onnx"], "checkpoint nowhere does not exist"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err

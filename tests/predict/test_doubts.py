"""Inputs that training never saw, and forecasts that are no number: said, and never "do not intervene"."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.inputs import TrainingInputs, shares_between, training_inputs
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.sequences import Sequences
from ddrsa.predict.__main__ import main
from ddrsa.predict.forecaster import Forecaster
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.trained import load_trained

LOOKBACK = 8
# A cost at which the policy goes on with most forecasts of the simulated fleet, and one at which it stops with all.
GO_ON, STOP = 1e-3, 1e9


@pytest.fixture(scope="module")
def fleet() -> pd.DataFrame:
    return simulate_fleet(SimulatedOptions(num_units=5, simulation_seed=4)).table


def with_value(fleet: pd.DataFrame, unit: int, column: str, value: float, rows_before_last: int = 0) -> pd.DataFrame:
    changed = fleet.astype({column: float})
    changed.loc[changed.index[changed["unit"] == unit][-1 - rows_before_last], column] = value
    return changed


@pytest.mark.parametrize("value", [-9999.0, 1e30])
@pytest.mark.parametrize("back", [0, LOOKBACK - 1])
def test_value_far_outside_is_named_and_never_a_reason_to_go_on(
    trained_run: TrainingDirectory, fleet: pd.DataFrame, value: float, back: int
) -> None:
    model = Forecaster(load_trained(trained_run.path))
    changed = with_value(fleet, 2, "sensor_3", value, back)
    warnings = model.predict(changed)["warnings"].droplevel("cycle")
    assert warnings.notna().tolist() == [False, True, False, False, False]
    assert f"sensor_3 is {value:.6g}, far outside of the training (" in warnings[2]
    go_on = model.decide(changed, cost=GO_ON)["intervene"].droplevel("cycle")
    assert pd.isna(go_on[2])
    assert not go_on.drop(2).any()
    assert go_on.drop(2).notna().all()


@pytest.mark.parametrize(("rows", "said"), [(3, False), (4, True), (LOOKBACK + 5, True)])
def test_sensor_that_stands_still_is_no_reason_to_go_on(
    trained_run: TrainingDirectory, fleet: pd.DataFrame, rows: int, said: bool
) -> None:
    model = Forecaster(load_trained(trained_run.path))
    changed = fleet.copy()
    last = changed.index[changed["unit"] == 2][-rows:]
    changed.loc[last, "sensor_3"] = changed.loc[last[0], "sensor_3"]
    warnings = model.predict(changed)["warnings"].droplevel("cycle")
    assert warnings.notna().tolist() == [False, said, False, False, False]
    if said:
        text = f"sensor_3 stands still for {min(rows, LOOKBACK)} rows, in training for "
        assert text in warnings[2]
    go_on = model.decide(changed, cost=GO_ON)["intervene"].droplevel("cycle")
    assert go_on.isna().tolist() == [False, said, False, False, False]


def test_alarm_is_not_held_back_by_a_doubt(trained_run: TrainingDirectory, fleet: pd.DataFrame) -> None:
    run = load_trained(trained_run.path)
    changed = with_value(fleet, 2, "sensor_3", -9999)
    assert Forecaster(run).decide(changed, cost=STOP)["intervene"].all()


def test_value_before_the_window_is_nothing_to_speak_of(trained_run: TrainingDirectory, fleet: pd.DataFrame) -> None:
    model = Forecaster(load_trained(trained_run.path))
    changed = with_value(fleet, 2, "sensor_3", -9999, LOOKBACK)
    assert model.predict(changed)["warnings"].isna().all()
    every = model.predict(changed, rows="all")["warnings"]
    # The window of each of these rows holds it, and that of no other row.
    last = int((fleet["unit"] == 2).sum()) - LOOKBACK
    assert every.dropna().index.tolist() == [(2, cycle) for cycle in range(last, last + LOOKBACK)]


def test_forecast_that_is_no_number_has_no_answer(trained_run: TrainingDirectory, fleet: pd.DataFrame) -> None:
    run = load_trained(trained_run.path)
    with torch.no_grad():
        next(iter(run.model.parameters())).fill_(torch.nan)
    model = Forecaster(run)
    table = model.predict(fleet)
    told = table.drop(columns=["warnings", "time_unit", "time_to_event"], errors="ignore")
    assert told.isna().all(axis=None)
    assert (table["warnings"] == "the forecast is no number").all()
    for cost in (GO_ON, STOP):
        assert model.decide(fleet, cost=cost)["intervene"].isna().all()
    assert model.decide(fleet, policy="time_to_event_threshold", threshold=9)["intervene"].isna().all()
    failure = model.decide(fleet, policy="failure_probability", threshold=0.5, window=4)
    assert failure["intervene"].isna().all()


def test_command_warns_and_leaves_the_decision_empty(
    trained_run: TrainingDirectory, fleet: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_value(with_value(fleet, 2, "sensor_3", -9999), 4, "sensor_4", 1e30).to_csv(tmp_path / "new.csv", index=False)
    data = ["dataset=table", f"dataset.path={tmp_path / 'new.csv'}", "dataset.time_column=cycle", "alive=true"]
    arguments = [f"checkpoint={trained_run.path}", *data, f"cost={GO_ON}", f"cache_dir={tmp_path}"]
    assert main([*arguments, f"output={tmp_path / 'out.csv'}"]) == 0
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith("warning: unit 2: sensor_3 is -9999, far outside of the training (")
    assert errors[1].startswith("warning: unit 4: ")
    assert "2 of 5 units left undecided" in errors[2]
    written = pd.read_csv(tmp_path / "out.csv", dtype={"intervene": str})
    assert written["intervene"].isna().tolist() == [False, True, False, True, False]
    assert written["warnings"].notna().tolist() == [False, True, False, True, False]
    assert main(arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[-1] == "warnings"
    answer = printed[0].split().index("intervene")
    assert printed[2].split()[answer] == "-"
    assert printed[3].split()[answer] == "False"


def test_constant_of_the_training_that_is_another_one_is_said(
    trained_run: TrainingDirectory, fleet: pd.DataFrame
) -> None:
    run = load_trained(trained_run.path)
    assert run.inputs is not None
    constant = np.flatnonzero(run.inputs.minimum == run.inputs.maximum)[0]
    name = run.inputs.feature_names[constant]
    model = Forecaster(run)
    changed = with_value(fleet, 2, name, run.inputs.minimum[constant] + 1)
    warnings = model.predict(changed)["warnings"].droplevel("cycle")
    assert warnings.notna().tolist() == [False, True, False, False, False]
    assert "throughout, and so the model does not read it" in warnings[2]
    # The model does not read it, so its answer stands.
    assert model.decide(changed, cost=GO_ON)["intervene"].notna().all()


def test_run_without_a_record_of_its_inputs_still_forecasts(
    trained_run: TrainingDirectory, fleet: pd.DataFrame
) -> None:
    run = replace(load_trained(trained_run.path), inputs=None)
    assert Forecaster(run).predict(with_value(fleet, 2, "sensor_3", -9999))["warnings"].isna().all()


def test_record_of_the_inputs_is_that_of_the_training_rows() -> None:
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.normal(5, 2, 997), np.repeat([0.0, 1.0], [900, 97])]).astype(np.float32)
    tau = np.arange(996, -1, -1, dtype=np.float32)
    training = Sequences(features, np.ones(997, np.int64), tau, np.ones(997, bool), ("sensor", "flag"))
    found = training_inputs(training)
    np.testing.assert_array_equal([found.minimum, found.maximum], [features.min(axis=0), features.max(axis=0)])
    np.testing.assert_allclose(found.shares[0], 0.1, atol=1e-3)
    values = features.astype(np.float64)
    for column, edges, shares in zip(values.T, found.edges, found.shares, strict=True):
        bounds = itertools.pairwise([-np.inf, *edges, np.inf])
        counted = [((low < column) & (column <= high)).mean() for low, high in bounds]
        np.testing.assert_allclose(shares, np.array(counted))
    np.testing.assert_allclose(found.shares, shares_between(values, found.edges))
    assert found.unchanged is not None
    assert found.unchanged.tolist() == [0, 899]
    again = TrainingInputs.from_dict(found.to_dict())
    np.testing.assert_array_equal(again.unchanged, found.unchanged)
    earlier = {key: value for key, value in found.to_dict().items() if key != "unchanged"}
    assert TrainingInputs.from_dict(earlier).unchanged is None
    np.testing.assert_array_equal(again.edges, found.edges)
    with pytest.raises(ValueError, match="2 names and 1 ranges"):
        TrainingInputs.from_dict({**found.to_dict(), "minimum": [0.0]})

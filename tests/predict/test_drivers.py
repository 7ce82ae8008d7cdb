"""The sensors that drive a forecast, and the picture of a unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.options import SimulatedOptions, TableOptions
from ddrsa.data.scaling import Scaler
from ddrsa.data.sequences import Sequences
from ddrsa.predict.__main__ import main
from ddrsa.predict.drivers import attributions, drivers_in_words
from ddrsa.predict.forecasts import forecast_units, last_rows
from ddrsa.predict.unit_plots import _file_names
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.time_scale import TimeScale
from ddrsa.trained import load_trained


@pytest.fixture(scope="module")
def fleet() -> Sequences:
    return simulate_fleet(SimulatedOptions(num_units=3, simulation_seed=4)).sequences()


def test_shares_add_up_to_the_difference_of_the_predictions(trained_run: TrainingDirectory, fleet: Sequences) -> None:
    run = load_trained(trained_run.path)
    rows = last_rows(fleet)
    table = attributions(run, fleet, rows)
    assert run.inputs is not None
    # Units that stay at the medians of the training.
    still = fleet.with_features(np.tile(run.inputs.median, (fleet.num_rows, 1)), run.inputs.feature_names)
    predicted, beside = (
        forecast_units(run, units, rows, TimeScale()).predictions()["rul"].to_numpy() for units in (fleet, still)
    )
    np.testing.assert_allclose(table.sum(axis=1), predicted - beside, atol=0.02)
    assert np.abs(predicted - beside).max() > 1


def test_sensor_that_stays_at_its_median_has_no_share(trained_run: TrainingDirectory, fleet: Sequences) -> None:
    run = load_trained(trained_run.path)
    assert run.inputs is not None
    name = run.scaler.kept_names[-1]
    features = np.array(fleet.features, dtype=np.float64)
    features[:, fleet.feature_names.index(name)] = run.inputs.median[run.inputs.feature_names.index(name)]
    table = attributions(run, fleet.with_features(features, fleet.feature_names), last_rows(fleet))
    np.testing.assert_allclose(table[name], 0, atol=1e-6)
    assert (table.drop(columns=name) != 0).any(axis=None)


def test_categories_of_one_column_are_one_sensor(trained_run: TrainingDirectory) -> None:
    run = load_trained(trained_run.path)
    count = len(run.scaler.kept)
    names = ("age", *(f"maker={n}" for n in range(count - 1)))
    ones = np.ones((1, count))
    scaler = Scaler("minmax", names, np.arange(count), np.empty((0, 3)), 0 * ones, ones)
    table_options = TableOptions(path="x.csv", all_units_fail=True, categorical_columns=["maker"])
    run = replace(run, scaler=scaler, inputs=None, config=replace(run.config, dataset=table_options))
    values = np.random.default_rng(0).normal(size=(1, count))
    units = Sequences(values, np.ones(1, np.int64), np.zeros(1, np.float32), np.zeros(1, bool), names)
    table = attributions(run, units, np.array([0]))
    assert list(table) == ["age", "maker"]
    with torch.no_grad():
        rul = [
            forecast_units(run, units.with_features(x, names), np.array([0]), TimeScale()).predictions()["rul"].iloc[0]
            for x in (values, 0 * values)
        ]
    assert table.iloc[0].sum() == pytest.approx(rul[0] - rul[1], abs=0.02)


def test_words_name_the_largest_and_leave_out_what_is_next_to_nothing() -> None:
    table = pd.DataFrame({"a": [0.1, np.nan], "b": [-8.0, 1.0], "c": [3.0, 1.0], "d": [0.01, 1.0]})
    assert drivers_in_words(table, TimeScale("days", 0.25, 21_600.0)) == ["b -2 days, c +18 hours", ""]


def test_picture_for_each_unit(trained_run: TrainingDirectory, tmp_path: Path) -> None:
    arguments = [f"checkpoint={trained_run.path}", f"cache_dir={tmp_path / 'cache'}", "part=test", "explain=all"]
    assert main([*arguments, f"plots={tmp_path / 'plots'}", f"output={tmp_path / 'out.csv'}"]) == 0
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["drivers"].notna().all()
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {f"{unit}.png" for unit in table["unit"]}
    for path in (tmp_path / "plots").iterdir():
        assert imread(path).std() > 0.05


def test_file_names_of_units_never_leave_the_folder_or_meet() -> None:
    names = _file_names(["../P1", "P 1", "p/1", "..", "CMP-001 (life 2)", "7", "007"])
    assert names == ["P1", "P_1", "p_1_2", "unit", "CMP-001_life_2", "7", "007"]

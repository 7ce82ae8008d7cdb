"""Drift of inputs against the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.inputs import population_stability, training_inputs
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.sequences import Sequences
from ddrsa.predict.drift import drift_table, main
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.trained import load_trained


def rows_of(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Sequences:
    tau = np.arange(len(values) - 1, -1, -1, dtype=np.float32)
    ones = np.ones(len(values), np.int64)
    names = tuple(f"s{n}" for n in range(values.shape[1]))
    return Sequences(values, ones, tau, np.ones(len(values), bool), names)


def test_index_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    training = rng.normal(0, 1, (5000, 2))
    now = np.column_stack([rng.normal(0, 1, 5000), rng.normal(1, 1, 5000)])
    found = population_stability(training_inputs(rows_of(training)), now)
    for column in range(2):
        edges = [-np.inf, *np.quantile(training[:, column], np.arange(1, 10) / 10), np.inf]
        p, q = (np.histogram(values[:, column], edges)[0] / 5000 for values in (now, training))
        assert found[column] == pytest.approx(np.sum((p - q) * np.log(p / q)), rel=0.02)
    # Between two normal distributions one standard deviation apart, with infinitely fine shares, it is 1.
    assert 0.7 < found[1] < 1.05
    assert found[0] < 0.01


def test_index_without_any_change_is_about_chi_square() -> None:
    rng = np.random.default_rng(1)
    known = training_inputs(rows_of(rng.normal(0, 1, (100_000, 1))))
    found = [200 * population_stability(known, rng.normal(0, 1, (200, 1)))[0] for _ in range(400)]
    assert np.mean(found) == pytest.approx(9, rel=0.15)
    # 16.9 is the 95 % quantile with 9 degrees of freedom.
    assert np.mean(np.array(found) > 16.9) == pytest.approx(0.05, abs=0.035)


def test_flags_and_constants_drift_too() -> None:
    training = np.column_stack([np.repeat([0.0, 1.0], [900, 100]), np.full(1000, 5.0)])
    known = training_inputs(rows_of(training))
    np.testing.assert_allclose(population_stability(known, training), 0, atol=1e-12)
    found = population_stability(known, np.column_stack([np.repeat([0.0, 1.0], [500, 500]), np.full(1000, 6.0)]))
    assert found[0] == pytest.approx((0.5 - 0.9) * np.log(0.5 / 0.9) + (0.5 - 0.1) * np.log(5))
    assert found[1] > 1


def test_command_names_the_sensor_that_was_exchanged(
    trained_run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = simulate_fleet(SimulatedOptions(num_units=16, simulation_seed=3)).table
    arguments = [f"checkpoint={trained_run.path}", "dataset=table", "dataset.time_column=cycle", "alive=true"]
    fleet.to_csv(tmp_path / "same.csv", index=False)
    assert main([*arguments, f"dataset.path={tmp_path / 'same.csv'}"]) == 0
    assert "drifted: none" in capsys.readouterr().out
    changed = fleet.assign(sensor_4=fleet["sensor_4"] + 2 * fleet["sensor_4"].std())
    changed.to_csv(tmp_path / "other.csv", index=False)
    other = [*arguments, f"dataset.path={tmp_path / 'other.csv'}", f"output={tmp_path / 'drift.csv'}"]
    assert main(other) == 3
    assert "drifted: sensor_4\n" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "drift.csv")
    assert table["sensor"].iloc[0] == "sensor_4"
    assert table["verdict"].iloc[0] == "drifted"
    assert main([*arguments, "cost=3"]) == 2
    assert "cost is no key of ddrsa drift" in capsys.readouterr().err


def test_few_rows_are_chance(trained_run: TrainingDirectory) -> None:
    run = load_trained(trained_run.path)
    assert run.inputs is not None
    # Twelve rows at the training's own quantiles, but for their number.
    shares = np.linspace(0.05, 0.95, 12)
    edges = np.column_stack([run.inputs.minimum, run.inputs.edges, run.inputs.maximum])
    values = np.array([np.interp(shares, np.linspace(0, 1, 11), of_feature) for of_feature in edges]).T
    units = rows_of(values).with_features(values, run.inputs.feature_names)
    assert set(drift_table(run, units)["verdict"]) <= {"stable", "chance"}

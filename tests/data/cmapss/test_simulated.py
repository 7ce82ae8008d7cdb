from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ddrsa.data.cmapss import simulated
from ddrsa.data.cmapss.sensors import CONDITIONS, SENSORS, sensor_values
from ddrsa.data.cmapss.simulated import failure_time, loss, read_fleet, simulate_fleet, write_fleet
from ddrsa.data.cmapss.text_format import COLUMNS, FEATURES
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError

CONSTANT = [f"sensor_{number}" for number in (1, 5, 10, 16, 18, 19)]  # as in FD001


def _ridge_features(sequences: Sequences, rows: int = 10) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """The mean of the last rows, and the last row itself, at every third cycle; target min(time, 125)."""
    inputs, targets = [], []
    for unit in sequences.unit_ids:
        one = sequences.select_units([unit])
        for j in range(rows - 1, one.num_rows, 3):
            inputs.append(np.concatenate([one.features[j - rows + 1 : j + 1].mean(0), one.features[j], [1]]))
            targets.append(min(one.time_to_event[j], 125))
    return np.array(inputs, dtype=float), np.array(targets)


def test_failure_time_is_the_first_time_at_which_the_margin_is_used_up() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        initial, rate = generator.uniform(0, 0.07), generator.uniform(*simulated.RATE_RANGE)
        exponent = generator.uniform(*simulated.EXPONENT_RANGE)
        time = np.arange(0, 2000, 0.01)
        # Brute force over a fine grid, with the formula of the paper written out.
        health = 1 - initial - (np.exp(rate * time**exponent) - 1) / (np.exp(4.3) - 1)
        assert failure_time(initial, rate, exponent) == pytest.approx(time[np.argmax(health <= 0)], abs=0.011)
        assert loss(np.array([0.0]), initial, rate, exponent)[0] == pytest.approx(initial)


def test_sensors_at_sea_level_move_from_the_baseline_by_the_shift() -> None:
    condition, nothing, everything = np.zeros(2, dtype=int), np.zeros(2), np.ones(2)
    quiet = np.zeros((2, 21))
    healthy = sensor_values(condition, 0, nothing, nothing, quiet)
    np.testing.assert_allclose(healthy[0], [sensor.baseline[0] for sensor in SENSORS])
    for mode in (0, 1):
        failed = sensor_values(condition, mode, everything, everything, quiet)
        np.testing.assert_allclose(failed - healthy, [[s.shift[mode] for s in SENSORS]] * 2, atol=1e-9)
    noisy = sensor_values(condition, 0, nothing, nothing, quiet + 2)
    np.testing.assert_allclose(noisy - healthy, [[2 * s.noise for s in SENSORS]] * 2, atol=1e-9)


def test_lifetimes_look_like_those_of_fd001() -> None:
    lifetimes = simulate_fleet(SimulatedOptions(num_units=400)).sequences().lifetimes
    assert 190 < lifetimes.mean() < 215
    assert 30 < lifetimes.std() < 55
    assert lifetimes.min() > 100
    assert lifetimes.max() < 400


def test_the_same_seed_gives_the_same_fleet_and_another_seed_another() -> None:
    options = SimulatedOptions(num_units=5, censored_fraction=0.4)
    first, again = simulate_fleet(options), simulate_fleet(options)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    assert first.censored == again.censored
    other = simulate_fleet(SimulatedOptions(num_units=5, censored_fraction=0.4, simulation_seed=1))
    assert not first.table.equals(other.table)


def test_a_larger_fleet_has_the_same_first_units() -> None:
    small = simulate_fleet(SimulatedOptions(num_units=3)).table
    large = simulate_fleet(SimulatedOptions(num_units=6)).table
    pd.testing.assert_frame_equal(large[large["unit"] <= 3], small, check_exact=True)


def test_one_condition_has_the_constant_sensors_of_fd001() -> None:
    table = simulate_fleet(SimulatedOptions(num_units=20)).table
    varying = table[list(FEATURES)].nunique() > 1
    assert list(varying.index[~varying]) == ["setting_3", *CONSTANT]
    assert table["sensor_6"].nunique() <= 3  # almost constant


def test_six_conditions_have_the_settings_of_cmapss() -> None:
    table = simulate_fleet(SimulatedOptions(num_units=10, num_conditions=6)).table
    settings = table[["setting_1", "setting_2", "setting_3"]].to_numpy()
    distance = np.abs(settings[:, None] - CONDITIONS).max(axis=2)
    assert distance.min(axis=1).max() < 0.02
    counts = np.bincount(distance.argmin(axis=1), minlength=6)
    assert counts.min() > len(table) / 6 * 0.8


def test_a_worn_fan_moves_pressure_the_other_way() -> None:
    def pressure_shift(unit: pd.DataFrame) -> float:
        pressure = unit["sensor_7"].to_numpy()
        return pressure[-3:].mean() - pressure[:30].mean()

    one = simulate_fleet(SimulatedOptions(num_units=30)).table.groupby("unit").apply(pressure_shift)
    two = simulate_fleet(SimulatedOptions(num_units=30, num_fault_modes=2)).table.groupby("unit").apply(pressure_shift)
    assert (one < 0).all()
    assert 5 <= (two > 0).sum() <= 25


def test_without_noise_each_sensor_is_a_smooth_curve() -> None:
    table = simulate_fleet(SimulatedOptions(num_units=3, noise=0)).table
    for _, unit in table.groupby("unit"):
        temperature = unit["sensor_4"].to_numpy()
        assert (np.diff(temperature) >= 0).all()
        assert temperature[-1] - temperature[0] > 15


def test_the_share_of_censored_units_leave_before_their_failure() -> None:
    full = simulate_fleet(SimulatedOptions(num_units=20)).sequences()
    fleet = simulate_fleet(SimulatedOptions(num_units=20, censored_fraction=0.25))
    sequences = fleet.sequences()
    assert len(fleet.censored) == 5
    censored = ~sequences.unit_event_observed
    assert sequences.unit_ids[censored].tolist() == list(fleet.censored)
    assert (sequences.lifetimes[censored] < full.lifetimes[censored]).all()
    np.testing.assert_array_equal(sequences.lifetimes[~censored], full.lifetimes[~censored])


@pytest.mark.parametrize("options", [{}, {"num_conditions": 6, "num_fault_modes": 2, "censored_fraction": 0.5}])
def test_what_is_written_is_read_back_exactly(tmp_path: Path, options: dict[str, Any]) -> None:
    fleet = simulate_fleet(SimulatedOptions(num_units=6, **options))
    write_fleet(tmp_path, fleet)
    again = read_fleet(tmp_path)
    pd.testing.assert_frame_equal(again.table, fleet.table, check_exact=True)
    assert again.censored == fleet.censored
    np.testing.assert_array_equal(again.sequences().features, fleet.sequences().features)
    first = (tmp_path / simulated.TABLE_FILE).read_text().splitlines()[0]
    assert len(first.split()) == len(COLUMNS)


def test_a_wrong_list_of_censored_units_is_refused(tmp_path: Path) -> None:
    write_fleet(tmp_path, simulate_fleet(SimulatedOptions(num_units=3)))
    path = tmp_path / simulated.CENSORED_FILE
    path.write_text("2\n9\n")
    with pytest.raises(DataError, match="names unit 9"):
        read_fleet(tmp_path)
    path.write_text("two\n")
    with pytest.raises(DataError, match="cannot be read, one unit number"):
        read_fleet(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_fleet(tmp_path)


def test_the_remaining_life_can_be_learned_but_not_perfectly() -> None:
    sequences = simulate_fleet(SimulatedOptions()).sequences()
    varying = np.ptp(sequences.features, axis=0) > 0
    scaled = (sequences.features - sequences.features.mean(0))[:, varying] / sequences.features.std(0)[varying]
    sequences = sequences.with_features(scaled, np.array(sequences.feature_names)[varying].tolist())
    inputs, targets = _ridge_features(sequences.select_units(range(1, 43)))
    weights = np.linalg.solve(inputs.T @ inputs + np.eye(inputs.shape[1]), inputs.T @ targets)
    inputs, truth = _ridge_features(sequences.select_units(range(43, 61)))
    error = np.sqrt(np.mean((inputs @ weights - truth) ** 2))
    error_of_mean = np.sqrt(np.mean((targets.mean() - truth) ** 2))
    assert 5 < error < 0.6 * error_of_mean


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ddrsa.data.simulate", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_command_writes_the_fleet_of_its_options(tmp_path: Path) -> None:
    done = _run(tmp_path / "out", "num_units=4", "censored_fraction=0.5", "simulation_seed=3")
    assert done.returncode == 0, done.stderr
    assert "4 units" in done.stdout
    expected = simulate_fleet(SimulatedOptions(num_units=4, censored_fraction=0.5, simulation_seed=3))
    pd.testing.assert_frame_equal(read_fleet(tmp_path / "out").table, expected.table, check_exact=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["num_units=two"], "num_units is 'two', a number is expected"),
        (["num_units=1"], "dataset.num_units=1: allowed is a whole number from 3 to 100000"),
        (["scaling=minmax"], "argument 'scaling=minmax' is not KEY=VALUE with a key of num_units"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = _run(tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()

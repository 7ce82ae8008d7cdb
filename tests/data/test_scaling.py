from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ddrsa.data.cmapss.sensors import CONDITIONS
from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.cmapss.text_format import SETTINGS
from ddrsa.data.cmapss.turbofan import read_turbofan, source_files
from ddrsa.data.conditions import find_conditions, nearest_condition
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.scaling import Scaler, fit_scaler
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError, DataError


def _rows(features: np.ndarray, names: tuple[str, ...]) -> Sequences:
    """One unit with these features (N, F)."""
    rows = len(features)
    return Sequences(
        features.astype(np.float32),
        np.ones(rows, dtype=np.int64),
        np.arange(rows, dtype=np.float32)[::-1],
        np.ones(rows, dtype=bool),
        names,
    )


def _in_conditions(condition: np.ndarray, **sensors: np.ndarray) -> Sequences:
    """Rows at the settings of C-MAPSS's conditions, with some sensors."""
    return _rows(np.column_stack([CONDITIONS[condition], *sensors.values()]), (*SETTINGS, *sensors))


@pytest.fixture(scope="module")
def one_condition() -> Sequences:
    return simulate_fleet(SimulatedOptions(num_units=12)).sequences()


@pytest.fixture(scope="module")
def six_conditions() -> Sequences:
    return simulate_fleet(SimulatedOptions(num_units=12, num_conditions=6)).sequences()


@pytest.mark.parametrize(("method", "reference"), [("minmax", MinMaxScaler((-1, 1))), ("standard", StandardScaler())])
def test_as_scikit_learn_on_other_units_too(
    one_condition: Sequences, method: str, reference: MinMaxScaler | StandardScaler
) -> None:
    training = one_condition.select_units(range(1, 9))
    other = one_condition.select_units(range(9, 13))
    scaler = fit_scaler(training, method)
    reference.fit(training.features.astype(float))
    for sequences in (training, other):
        expected = reference.transform(sequences.features.astype(float))[:, scaler.kept]
        np.testing.assert_allclose(scaler.apply(sequences).features, expected, rtol=1e-5, atol=1e-5)
    assert scaler.kept_names == scaler.apply(other).feature_names
    assert "sensor_1" not in scaler.kept_names
    assert "setting_3" not in scaler.kept_names


def test_what_is_constant_in_training_is_dropped_though_it_varies_elsewhere() -> None:
    training = _rows(np.array([[1, 5], [2, 5], [3, 5.0]]), ("a", "b"))
    other = _rows(np.array([[5, 7], [-1, 9.0]]), ("a", "b"))
    scaled = fit_scaler(training, "minmax").apply(other)
    assert scaled.feature_names == ("a",)
    assert scaled.features[:, 0].tolist() == [3, -3]  # beyond the training range, and not clipped


def test_condition_standardises_within_each_condition(six_conditions: Sequences) -> None:
    scaler = fit_scaler(six_conditions, "condition")
    assert len(scaler.centres) == 6
    scaled = scaler.apply(six_conditions)
    # The conditions by the altitude alone, rounded: independent of the clustering.
    altitude = six_conditions.features[:, 0].round()
    column = scaled.feature_names.index("sensor_4")
    raw = six_conditions.features[:, six_conditions.feature_names.index("sensor_4")].astype(float)
    deviations = []
    for value in np.unique(altitude):
        rows = altitude == value
        assert abs(scaled.features[rows, column].mean()) < 1e-4
        deviations.append(raw[rows].std())
        ratio = scaled.features[rows, column].std()
        assert ratio <= 1 + 1e-4
    pooled = np.sqrt(np.average(np.square(deviations), weights=np.unique(altitude, return_counts=True)[1]))
    for value, deviation in zip(np.unique(altitude), deviations, strict=True):
        expected = deviation / max(deviation, pooled)
        assert scaled.features[altitude == value, column].std() == pytest.approx(expected, rel=1e-3)
    for name in SETTINGS:
        setting = scaled.features[:, scaled.feature_names.index(name)]
        assert (setting.min(), setting.max()) == (-1, 1)
    # Sensors that only tell the conditions apart are gone, those that wear are kept.
    assert not {"sensor_1", "sensor_5", "sensor_18", "sensor_19"} & set(scaled.feature_names)
    assert {"sensor_2", "sensor_4", "sensor_11"} <= set(scaled.feature_names)


def test_a_sensor_that_hardly_moves_in_one_condition_does_not_blow_up() -> None:
    generator = np.random.default_rng(0)
    condition = np.repeat([0, 1], 2000)
    sensor = np.where(condition == 0, generator.normal(size=4000), 10.0)
    sensor[-1] = 10.01  # one flip of the last digit, 45 of its own standard deviations
    training = _in_conditions(condition, sensor_1=sensor)
    scaler = fit_scaler(training, "condition")
    scaled = scaler.apply(training).features[:, -1]
    assert np.abs(scaled[condition == 1]).max() < 0.1
    # Never seen in training, and still in proportion to what the sensor does elsewhere.
    unseen = _in_conditions(np.array([1, 1]), sensor_1=np.array([10.0, 11.0]))
    assert np.diff(scaler.apply(unseen).features[:, -1])[0] == pytest.approx(np.sqrt(2), rel=0.05)


def test_a_condition_that_training_has_not_seen_takes_the_nearest() -> None:
    training = _in_conditions(np.array([0, 0, 5, 5]), sensor_1=np.array([0.0, 2, 10, 14]))
    scaler = fit_scaler(training, "condition")
    near_last = _in_conditions(np.array([4]), sensor_1=np.array([12.0]))
    assert scaler.apply(near_last).features[0, -1] == 0


@pytest.mark.parametrize("method", ["minmax", "standard", "condition"])
def test_a_scaler_survives_json(six_conditions: Sequences, method: str) -> None:
    scaler = fit_scaler(six_conditions, method)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.apply(six_conditions).features, scaler.apply(six_conditions).features)
    assert again.apply(six_conditions).feature_names == scaler.kept_names


def test_other_features_are_refused(one_condition: Sequences, make_sequences: Callable[..., Sequences]) -> None:
    with pytest.raises(DataError, match="the data have the features x0, x1, x2, the scaler was fitted on setting_1"):
        fit_scaler(one_condition, "minmax").apply(make_sequences((3, 2)))


def test_what_cannot_be_fitted_is_refused(make_sequences: Callable[..., Sequences]) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.scaling=robust: allowed is minmax, standard, condition"):
        fit_scaler(make_sequences((3, 2)), "robust")
    with pytest.raises(ConfigError, match="no feature setting_1"):
        fit_scaler(make_sequences((3, 2)), "condition")
    with pytest.raises(DataError, match="every feature is constant"):
        fit_scaler(_rows(np.ones((3, 2)), ("a", "b")), "minmax")
    free = np.column_stack([np.linspace(0, 42 * 40, 200), np.zeros(200), np.zeros(200)])
    with pytest.raises(ConfigError, match="more than 32 operating conditions"):
        fit_scaler(_rows(free, SETTINGS), "condition")


def test_conditions_do_not_depend_on_the_order_of_the_rows(six_conditions: Sequences) -> None:
    settings = six_conditions.features[:, :3].astype(float)
    centres = find_conditions(settings)
    np.testing.assert_allclose(centres, CONDITIONS, atol=0.001)
    shuffled = np.random.default_rng(0).permutation(settings)
    np.testing.assert_allclose(find_conditions(shuffled), centres, atol=1e-9)
    np.testing.assert_array_equal(nearest_condition(CONDITIONS[::-1], centres), np.arange(6)[::-1])


@pytest.mark.parametrize(("subset", "conditions"), [("FD001", 1), ("FD002", 6), ("FD004", 6)])
def test_nasa_sets_have_one_or_six_conditions(nasa_dir: Path, subset: str, conditions: int) -> None:
    train, test, rul = source_files(nasa_dir, subset)
    parts = read_turbofan(train, test, rul)
    scaler = fit_scaler(parts["run_to_failure"], "condition")
    assert len(scaler.centres) == conditions
    np.testing.assert_allclose(scaler.centres, CONDITIONS[:conditions], atol=0.01)
    for sequences in parts.values():
        scaled = scaler.apply(sequences).features
        assert np.abs(scaled).max() < 12  # flips of a last digit, at most
        assert np.abs(scaled).mean() < 1

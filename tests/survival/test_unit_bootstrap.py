from __future__ import annotations

import numpy as np
import pytest

from ddrsa.survival.metrics import CensoringDistribution, concordance_index, root_mean_squared_error
from ddrsa.survival.pairs import concordance_of, pairs_by_unit, pairs_of_equal_age, resampled_concordance
from ddrsa.survival.unit_bootstrap import LEVEL, UnitSums, draws, interval


def windows(num_units: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(num_units), rng.integers(3, 9, num_units))
    time = rng.integers(0, 6, len(number)).astype(float)
    event = rng.random(len(number)) < 0.7
    return time, event, (time + rng.normal(0, 2, len(number))).round(), number


def test_pairs_by_unit_add_up_to_the_index() -> None:
    time, event, predicted, number = windows()
    concordant, comparable = pairs_by_unit(time, event, predicted, number)
    assert concordant.sum() / comparable.sum() == pytest.approx(concordance_index(time, event, predicted))
    two = (number == 2) | (number == 5)
    some = np.ix_([2, 5], [2, 5])
    expected = concordance_index(time[two], event[two], predicted[two])
    assert concordant[some].sum() / comparable[some].sum() == pytest.approx(expected)


def test_a_resample_is_the_metric_of_the_units_that_were_drawn() -> None:
    time, event, predicted, number = windows()
    drawn = np.array([0, 2, 2, 3, 8, 8, 8, 1, 5])
    weights = np.bincount(drawn, minlength=9)[None].astype(float)
    rows = np.concatenate([np.flatnonzero(number == unit) for unit in drawn])
    sums = UnitSums.of((predicted - time) ** 2, event, number, 9, root=True)
    counted = rows[event[rows]]
    expected = root_mean_squared_error(predicted[counted], time[counted])
    assert sums.resampled(weights)[0] == pytest.approx(expected)
    concordant, comparable = pairs_by_unit(time, event, predicted, number)
    found = (weights @ concordant @ weights.T) / (weights @ comparable @ weights.T)
    assert found[0, 0] == pytest.approx(concordance_index(time[rows], event[rows], predicted[rows]))


def test_a_resample_of_uno_and_of_equal_ages_is_that_of_the_units_that_were_drawn() -> None:
    time, event, predicted, number = windows()
    age = np.concatenate([np.arange(n) for n in np.bincount(number)]).astype(float)
    drawn = np.array([0, 2, 2, 3, 8, 8, 8, 1, 5])
    weights = np.bincount(drawn, minlength=9)[None].astype(float)
    rows = np.concatenate([np.flatnonzero(number == unit) for unit in drawn])
    censoring = CensoringDistribution.fit(time, event)
    pairs = pairs_by_unit(time, event, predicted, number, censoring.weight_of_pair)
    expected = concordance_index(time[rows], event[rows], predicted[rows], censoring)
    assert resampled_concordance(pairs, weights)[0] == pytest.approx(expected)
    same = pairs_of_equal_age(time, event, predicted, age, number)
    # Each draw of a unit is a unit of its own.
    copies = np.repeat(np.arange(9), [(number == unit).sum() for unit in drawn])
    expected = concordance_of(pairs_of_equal_age(time[rows], event[rows], predicted[rows], age[rows], copies))
    assert resampled_concordance(same, weights)[0] == pytest.approx(expected)


def test_intervals_cover_the_truth_where_windows_of_a_unit_are_alike() -> None:
    rng = np.random.default_rng(1)
    number = np.repeat(np.arange(30), 20)
    covered = by_window = 0
    for _ in range(200):
        values = rng.normal(0, 1, 30)[number] + rng.normal(0, 0.1, 600)
        everything = np.ones(600, dtype=bool)
        found = interval(UnitSums.of(values, everything, number, 30).resampled(draws(30)))
        assert found is not None
        covered += found[0] <= 0 <= found[1]
        by_window += abs(values.mean()) <= 1.96 * values.std() / np.sqrt(600)
    assert 0.87 <= covered / 200 <= 0.99
    assert by_window / 200 < 0.6 < LEVEL


def test_a_single_unit_has_no_interval() -> None:
    time, event, predicted, number = windows(num_units=1)
    everything = np.ones_like(event)
    assert interval(UnitSums.of(time, everything, number, 1).resampled(draws(1))) is None
    assert interval(resampled_concordance(pairs_by_unit(time, event, predicted, number), draws(1))) is None
    # Nor has what only one of several units has anything to count for, or what is the same in all.
    time, event, predicted, number = windows()
    sums = UnitSums.of(time, number == 3, number, 9)
    assert interval(sums.resampled(draws(9))) is None
    assert interval(UnitSums(np.zeros(9), np.ones(9)).resampled(draws(9))) is None


def test_what_cannot_be_told_has_no_interval() -> None:
    time, event, predicted, number = windows()
    nothing = np.zeros_like(event)
    assert interval(UnitSums.of(time, nothing, number, 9).resampled(draws(9))) is None
    assert interval(resampled_concordance(pairs_by_unit(time, nothing, predicted, number), draws(9))) is None
    found = interval(resampled_concordance(pairs_by_unit(time, event, predicted, number), draws(9)))
    assert found is not None
    assert found[0] <= concordance_index(time, event, predicted) <= found[1]

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.trade_off import trade_off

lives = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=6)


def rows_of(scores: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The score, unit and time to event of every row; the units are numbered downwards."""
    unit = np.concatenate([np.full(len(life), -number) for number, life in enumerate(scores)])
    tau = np.concatenate([np.arange(len(life))[::-1] for life in scores]).astype(float)
    return np.concatenate(scores).astype(float), unit, tau


def play(scores: list[list[int]], threshold: float, below: bool) -> tuple[float, float | None]:
    """Miss rate and mean time to event, unit by unit and row by row."""
    times = []
    for life in scores:
        for row, score in enumerate(life[:-1]):  # at the last row the unit fails
            if (score <= threshold) if below else (score >= threshold):
                times.append(len(life) - 1 - row)
                break
    return (len(scores) - len(times)) / len(scores), float(np.mean(times)) if times else None


@given(lives, st.booleans())
def test_any_threshold_as_played_row_by_row(scores: list[list[int]], below: bool) -> None:
    curve = trade_off(*rows_of(scores), "below" if below else "above")
    for threshold in np.arange(-1, 11, 0.5):
        point = curve.at(threshold)
        miss_rate, mean = play(scores, threshold, below)
        assert point.miss_rate == miss_rate
        assert point.mean_time_to_event == pytest.approx(mean)


@given(lives, st.booleans(), st.floats(0, 1))
def test_best_gives_up_least_of_all_thresholds(scores: list[list[int]], below: bool, miss_rate: float) -> None:
    curve = trade_off(*rows_of(scores), "below" if below else "above")
    played = [play(scores, threshold, below) for threshold in range(10)]
    allowed = [mean for missed, mean in played if missed <= miss_rate and mean is not None]
    best = curve.best(miss_rate)
    if not allowed:
        assert best is None
        return
    assert best is not None
    assert best.miss_rate <= miss_rate
    assert best.mean_time_to_event == pytest.approx(min(allowed))
    miss_rate, mean = play(scores, best.threshold, below)
    assert miss_rate == best.miss_rate
    assert mean == pytest.approx(best.mean_time_to_event)


@given(lives)
def test_curve_has_each_miss_rate_once_at_its_best(scores: list[list[int]]) -> None:
    curve = trade_off(*rows_of(scores), "below")
    points = curve.curve()
    played = [play(scores, threshold, True) for threshold in range(10)]
    reached = {missed for missed, mean in played if mean is not None}
    assert [point.miss_rate for point in points] == sorted(reached, reverse=True)
    for point in points:
        of_this_rate = [mean for missed, mean in played if missed == point.miss_rate and mean is not None]
        assert point.mean_time_to_event == pytest.approx(min(of_this_rate))


def test_long_curve_is_thinned_with_both_ends() -> None:
    # Unit n reaches the score n one cycle before its end: the threshold n catches n units.
    unit = np.repeat(np.arange(1, 201), 2)
    score = np.where(np.arange(400) % 2 == 0, unit, 0.0)
    points = trade_off(score, unit, np.tile([1.0, 0.0], 200), "below").curve(num_points=20)
    assert len(points) == 20
    assert (points[0].threshold, points[0].miss_rate) == (1, 0.995)
    assert (points[-1].threshold, points[-1].miss_rate) == (200, 0)


def test_one_of_twenty_is_five_percent() -> None:
    unit = np.repeat(np.arange(20), 2)
    score = np.where(unit == 0, np.inf, 1.0)
    point = trade_off(score, unit, np.tile([1.0, 0.0], 20), "below").best(0.05)
    assert point is not None
    assert point.miss_rate == 0.05


def test_infinite_scores_and_no_units() -> None:
    never = trade_off(np.full(3, np.inf), np.zeros(3, int), np.array([2.0, 1.0, 0.0]), "below")
    assert (never.curve(), never.best(0.5), never.at(1e300).miss_rate) == ([], None, 1.0)
    nothing = trade_off(np.empty(0), np.empty(0, int), np.empty(0), "above")
    assert (nothing.curve(), nothing.best(1.0)) == ([], None)

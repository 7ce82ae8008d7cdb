"""Standings of races that are replayed from tables of scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ddrsa.sweep.race.race import Race
from ddrsa.sweep.race.standings import Place, Rules, Word, standings

NAN = math.nan


def replay(table: NDArray[np.float64], rules: Rules, jobs: int = 1, max_runs: int | None = None) -> Race:
    race = Race(len(table), rules, max_runs=max_runs)
    while wanted := race.wanted((), race.ended, jobs):
        for entry in wanted:
            race.record(entry, float(table[entry]))
    return race


def drawn(seed: int, means: list[float], noise: float = 1.0, repeats: int = 20) -> NDArray[np.float64]:
    """Scores with an effect of each repeat, which all configurations share."""
    random = np.random.default_rng(seed)
    return (
        np.array(means)[:, None] + 5 * random.normal(size=repeats) + noise * random.normal(size=(len(means), repeats))
    )


@pytest.mark.parametrize("shared", [True, False])
def test_far_worse_ones_get_no_more_and_the_best_is_found(shared: bool) -> None:
    race = replay(drawn(0, [9, 0, 12, 30]), Rules(3, 20, shared_noise=shared))
    seen = race.look()
    assert (seen.word, seen.leader, seen.places[0]) == (Word.BETTER, 1, Place.WORSE)
    assert race.ended < 40
    for gap in (seen.gaps[0], seen.gaps[2], seen.gaps[3]):
        assert gap is not None
        assert gap.low > 0


def test_equal_ones_end_as_equal_within_delta() -> None:
    race = replay(drawn(1, [0, 0, 20]), Rules(3, 60, delta=3.0), jobs=2)
    seen = race.look()
    assert seen.word is Word.EQUAL
    assert seen.places[2] is Place.WORSE
    assert race.ended < 120


def test_without_a_delta_equal_ones_are_not_decided_and_that_is_seen_early() -> None:
    race = replay(drawn(2, [0, 0, 20]), Rules(3, 30))
    assert race.look().word is Word.UNDECIDED
    assert race.look().places[:2] in ((Place.LEADER, Place.TIED), (Place.TIED, Place.LEADER))
    assert race.ended < 2 * 30


def test_a_difference_that_more_repeats_would_show_is_no_tie() -> None:
    race = replay(drawn(3, [0, 1.0, 20], repeats=60), Rules(3, 60))
    assert race.word() is Word.BETTER
    assert race.look().leader == 0


def test_budget_ends_a_race() -> None:
    race = replay(drawn(2, [0, 0, 20]), Rules(3, 8), max_runs=10)
    assert (race.ended, race.word()) == (10, Word.UNDECIDED)


def test_effects_of_repeats_are_left_out_where_some_are_missing() -> None:
    """The second is 1 better on each repeat that both have; its mean is worse, for it has the hard ones."""
    scores = np.array([[1.0, 2.0, 3.0, NAN, NAN], [NAN, 1.0, 2.1, 12.0, 13.0], [3.0, 4.0, 5.1, 15.0, NAN]])
    seen = standings(scores, Rules(2, 5))
    assert seen.leader == 1
    assert seen.gaps[0] is not None
    assert seen.gaps[0].mean == pytest.approx(0.95)
    assert seen.gaps[0].count == 2


def test_one_score_of_each_tells_nothing_by_itself() -> None:
    seen = standings(np.array([[1.0, NAN], [9.0, NAN]]), Rules(2, 2))
    assert seen.word is None
    assert seen.gaps[1] is not None
    assert math.isinf(seen.gaps[1].high)


def test_failing_configurations_go_out() -> None:
    race = Race(2, Rules(2, 5))
    for entry in ((0, 0), (0, 1)):
        race.fail(entry, "no memory")
    assert race.look().places[0] is Place.OUT
    assert race.wanted((), 2, 9) == [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4)]


@pytest.mark.parametrize("shared", [True, False])
def test_wrong_words_are_rarer_than_the_error(shared: bool) -> None:
    """Looked at after each run, with configurations that are close and not equally noisy."""
    wrong = 0
    for seed in range(60):
        random = np.random.default_rng([7, seed])
        means = [0.0, *random.uniform(0.0, 1.0, 5)]
        noise = np.exp(random.normal(0, 0.3, 6))[:, None]
        table = np.array(means)[:, None] + noise * random.normal(size=(6, 12))
        race = replay(table, Rules(3, 12, error=0.2, shared_noise=shared), jobs=3)
        wrong += race.word() is Word.BETTER and race.look().leader != 0
    assert wrong / 60 <= 0.2

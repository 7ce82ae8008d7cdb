"""The plan of a sweep with a time limit, on a clock that is a number."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from ddrsa.sweep.supervise.durations import PredictedDurations, packed
from ddrsa.sweep.supervise.time_plan import Described, TimePlan


@dataclass
class Clock:
    now: float = 0.0
    plan: TimePlan = field(init=False)

    def __post_init__(self) -> None:
        self.plan = TimePlan(lambda: 100.0 - self.now)


def described(size: int, done: float = 0.0) -> Described:
    return Described("kind", {"size": str(size)}, done)


def test_durations_are_predicted_value_by_value() -> None:
    """Of a run that nobody has seen, by those that share a value with it: each value has a factor."""
    factors = {"model": {"lstm": 1.0, "transformer": 8.0}, "batch_size": {"32": 4.0, "64": 2.0, "128": 1.0}}
    durations = PredictedDurations()
    random = np.random.default_rng(0)
    for (model, a), (size, b) in itertools.product(factors["model"].items(), factors["batch_size"].items()):
        if (model, size) != ("transformer", "32"):
            for seed in range(3):
                values = {"model": model, "batch_size": size, "seed": str(seed)}
                durations.add("", values, 10 * a * b * float(np.exp(random.normal(0, 0.02))))
    expected = durations.predicted("", {"model": "transformer", "batch_size": "32", "seed": "7"})
    assert expected is not None
    assert expected.seconds == pytest.approx(320, rel=0.15)
    other = durations.predicted("", {"model": "lstm", "batch_size": "128", "seed": "8"})
    assert other is not None
    assert other.seconds == pytest.approx(10, rel=0.1)
    assert other.spread < 0.15
    assert PredictedDurations().predicted("", {}) is None


def test_the_longest_first_and_what_still_fits_after_it() -> None:
    # Two places, 10 seconds: 7 and 6 begin, then 4 after the 6; nothing of 5 fits.
    assert packed([], [4.0, 7.0, 5.0, 6.0], 2, 10.0) == (10.0, [1, 3, 0])
    assert packed([3.0], [4.0], 1, 10.0) == (7.0, [0])
    assert packed([3.0], [8.0], 1, 10.0) == (3.0, [])


def test_next_is_the_longest_that_will_have_ended() -> None:
    clock = Clock()
    for size, seconds in ((1, 10.0), (2, 20.0), (4, 40.0)):
        for _ in range(50):
            clock.plan.known(described(size), seconds)
    waiting = [described(1), described(4), described(2)]
    assert clock.plan.next(waiting) == 1
    clock.now = 75.0
    assert clock.plan.next(waiting) == 2
    clock.now = 85.0
    assert clock.plan.next(waiting) == 0
    assert clock.plan.next([described(4, done=0.8)]) == 0  # of which a fifth is left
    clock.now = 95.0
    assert clock.plan.next(waiting) is None
    assert clock.plan.outlook(waiting, 1, 95.0) == (0.0, 3)


def test_without_any_duration_runs_start_as_long_as_there_is_time() -> None:
    clock = Clock()
    assert clock.plan.next([described(1), described(2)]) == 0
    clock.now = 100.0
    assert clock.plan.next([described(1)]) is None


def test_the_prediction_says_how_little_is_known_of_what_was_not_tried() -> None:
    durations = PredictedDurations()
    for seed in range(6):
        for kind, seconds in (("large", 500.0), ("small", 50.0)):
            durations.add(kind, {"seed": str(seed), "trial": f"{kind}{seed}"}, seconds * (1 + seed / 100))
    known = durations.predicted("large", {"seed": "6", "trial": "next"})
    unknown = durations.predicted("other", {"seed": "6", "trial": "next"})
    assert known is not None
    assert unknown is not None
    assert known.seconds == pytest.approx(510, rel=0.05)
    assert known.spread < 0.15
    assert unknown.spread > 0.5


def test_a_kind_of_which_nothing_is_known_is_tried_in_the_time_that_would_be_left_over() -> None:
    """Only long runs so far: that the others take as long is a guess, and the place would stand idle."""
    clock = Clock()
    for number in range(4):
        kind = ("large", "middle")[number % 2]
        clock.plan.began(number, Described(kind, {}), 100.0 * number)
        clock.plan.epoch(number, 1, 10, 100.0 * number + 8 + 2 * (number % 2))
        clock.plan.epoch(number, 10, 10, 100.0 * number + (600, 150)[number % 2])
        clock.plan.ended(number, 100.0 * number + (610, 155)[number % 2], whole=True)
    known, unknown = Described("large", {}), Described("small", {})
    assert clock.plan.next([known, unknown]) == 1
    assert clock.plan.next([known]) is None  # that it takes longer is known
    clock.now = 80.0  # an epoch and its evaluation took 15 s at least
    assert clock.plan.next([known, unknown]) is None


def test_a_run_is_asked_so_that_it_ends_within_half_an_epoch_of_the_limit() -> None:
    """Epochs of 8 s and an evaluation of 3 s: after the eleventh epoch, at 88 s, there is no time for another."""
    clock = Clock()
    clock.plan.began(1, described(1), 0.0)
    clock.plan.began(2, described(1), 0.0)
    clock.plan.epoch(2, 1, 1, 1.0)
    clock.plan.ended(2, 4.0, whole=True)  # tells how long the evaluation takes
    asked = None
    for now in range(1, 100):
        clock.now = float(now)
        clock.plan.epoch(1, now // 8, 50, clock.now)
        if clock.plan.to_ask(clock.now) == [1]:
            assert asked is None
            asked = now
    assert asked is not None
    ends = 8 * (asked // 8 + 1) + 3
    assert 96 <= ends <= 104
    assert clock.plan.to_ask(99.0) == []  # once


def test_a_run_that_is_nearly_done_is_not_asked() -> None:
    clock = Clock()
    clock.plan.began(1, described(1), 0.0)
    for now in range(1, 100):
        clock.now = float(now)
        clock.plan.epoch(1, now // 8, 12, clock.now)  # done at 96 s, and evaluated
        assert clock.plan.to_ask(clock.now) == []


def test_who_does_not_do_as_asked_is_ended() -> None:
    clock = Clock()
    for number in (1, 2):
        clock.plan.began(number, described(1), 0.0)
        clock.plan.epoch(number, 1, 50, 10.0)
        clock.plan.epoch(number, 2, 50, 20.0)
    clock.now = 99.0
    assert clock.plan.overdue(99.0, lambda number: number == 2) == []
    clock.now = 100.0
    assert clock.plan.overdue(100.0, lambda number: number == 2) == [1]
    clock.plan.ended(1, 101.0, whole=False)
    clock.now = 125.0
    assert clock.plan.overdue(125.0, lambda number: number == 2) == []  # two epochs, two evaluations, and some patience
    clock.now = 175.0
    assert clock.plan.overdue(175.0, lambda number: number == 2) == [2]

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from ddrsa.survival.policy_options import Guarantee
from ddrsa.survival.promise import (
    allowed_misses,
    largest_miss_rate,
    promise,
    promise_sentence,
    reached_confidence,
    units_needed,
)
from ddrsa.survival.trade_off import TradeOff, trade_off


def lives(catch_at: list[float], never: int = 0) -> TradeOff:
    """Units that are caught by thresholds at or above their number, two cycles before the failure, and some never."""
    values = [*catch_at, *[np.inf] * never]
    scores = np.full((len(values), 4), np.inf)
    scores[:, 1] = values
    unit = np.repeat(np.arange(len(scores)), 4)
    return trade_off(scores.ravel(), unit, np.tile([3.0, 2.0, 1.0, 0.0], len(scores)), "below")


@pytest.mark.parametrize("n", [1, 10, 44, 45, 59, 200])
@pytest.mark.parametrize(("miss_rate", "confidence"), [(0.05, 0.9), (0.1, 0.95), (0.3, 0.5)])
def test_allowed_misses_are_those_of_an_exact_binomial_test(n: int, miss_rate: float, confidence: float) -> None:
    rejected = [
        k for k in range(n) if binomtest(k, n, miss_rate, alternative="less").pvalue <= 1 - confidence
    ]  # fmt: skip
    assert allowed_misses(n, Guarantee(miss_rate, confidence)) == (max(rejected) if rejected else None)


@pytest.mark.parametrize(("misses", "n"), [(0, 20), (1, 59), (7, 100), (19, 20)])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_largest_miss_rate_is_that_of_clopper_and_pearson(misses: int, n: int, confidence: float) -> None:
    interval = binomtest(misses, n, alternative="less").proportion_ci(confidence, method="exact")
    bound = largest_miss_rate(misses, n, confidence)
    assert bound == pytest.approx(interval.high)
    assert reached_confidence(misses, n, bound) == pytest.approx(confidence)


def test_nothing_is_known_where_all_are_missed() -> None:
    assert largest_miss_rate(5, 5, 0.9) == 1
    assert reached_confidence(5, 5, 0.05) == 0


@pytest.mark.parametrize(
    ("miss_rate", "confidence", "misses"), [(0.05, 0.95, 0), (0.05, 0.9, 0), (0.1, 0.9, 3), (0.5, 0.5, 1)]
)
def test_units_needed_is_the_least_number(miss_rate: float, confidence: float, misses: int) -> None:
    n = units_needed(Guarantee(miss_rate, confidence), misses)
    assert binom.cdf(misses, n, miss_rate) <= 1 - confidence < binom.cdf(misses, n - 1, miss_rate)


def test_the_promise_takes_the_boldest_threshold_that_keeps_it() -> None:
    guarantee = Guarantee(0.1, 0.9)
    # Two of 52 may be missed.
    assert allowed_misses(52, guarantee) == 2
    found = promise(lives(list(range(52))), guarantee)
    assert (found.kept, found.threshold, found.misses, found.num_units) == (True, 49.0, 2, 52)
    assert (found.miss_rate, found.confidence, found.mean_time_to_event) == (0.1, 0.9, 2.0)


def test_too_few_units_say_how_many_are_needed_and_what_they_allow() -> None:
    guarantee = Guarantee(0.05, 0.95)
    found = promise(lives(list(range(58))), guarantee)
    assert not found.kept
    assert (found.units_needed, found.misses, found.threshold) == (59, 0, 57.0)
    assert found.miss_rate == pytest.approx(1 - 0.05 ** (1 / 58))
    assert found.confidence_reached == pytest.approx(1 - 0.95**58)
    sentence = promise_sentence("oti", found.to_dict(), guarantee)
    assert "58 units are too few" in sentence
    assert "59 are needed" in sentence
    assert promise(lives(list(range(59))), guarantee).kept


def test_units_that_no_threshold_catches_count_as_missed() -> None:
    guarantee = Guarantee(0.1, 0.9)
    found = promise(lives(list(range(50)), never=3), guarantee)
    assert not found.kept
    assert (found.misses, found.units_needed) == (3, units_needed(guarantee, 3))
    assert found.miss_rate == pytest.approx(largest_miss_rate(3, 53, 0.9))


@pytest.mark.parametrize("curve", [lives([]), lives([], never=4)])
def test_without_a_threshold_nothing_is_promised(curve: TradeOff) -> None:
    found = promise(curve, Guarantee(0.1, 0.9))
    assert (found.kept, found.threshold, found.miss_rate, found.confidence_reached) == (False, None, 1.0, 0.0)
    assert "nothing can be promised" in promise_sentence("oti", found.to_dict(), Guarantee(0.1, 0.9))


@pytest.mark.parametrize("n", [30, 80])
def test_broken_promises_are_as_rare_as_said_over_many_fleets(n: int) -> None:
    guarantee = Guarantee(0.1, 0.9)
    rng = np.random.default_rng(n)
    broken = 0
    for _ in range(300):
        # The law of the thresholds is uniform, so the true miss rate of a threshold t is 1 - t.
        found = promise(lives(rng.random(n).tolist()), guarantee)
        assert found.threshold is not None
        broken += 1 - found.threshold > found.miss_rate + 1e-12
    # At most a tenth, but for the noise of 300 fleets: four deviations. The bound is nearly reached, not just kept.
    assert broken / 300 < 0.1 + 4 * np.sqrt(0.1 * 0.9 / 300)
    assert broken > 0

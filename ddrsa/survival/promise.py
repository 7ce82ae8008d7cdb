"""A threshold with a promise: with a given confidence, the true miss rate of the policy is at most a given one.

Learn then Test (Angelopoulos, Bates, Candes, Jordan, Lei, "Learn then Test: Calibrating Predictive Algorithms to
Achieve Risk Control", Annals of Applied Statistics 19, 2025) on n units that trained and tuned nothing else. A unit is
missed or not, units are independent, so under the hypothesis "the true miss rate is above a" the number of missed units
k has the exact p-value P(Binomial(n, a) <= k). A bolder threshold, which intervenes later, misses every unit that a
more careful one misses. Thresholds are therefore tested in a fixed order, from the most careful one on, each at the
full level 1 - confidence, and all before the first that is not rejected keep the promise together: the one of them that
gives up least may be chosen by the same units. It holds whatever the model is, and for any law of the lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scipy.special import bdtr, betaincinv

from ddrsa.survival.policy_options import Guarantee
from ddrsa.survival.trade_off import TradeOff
from ddrsa.texts import count_of


def allowed_misses(num_units: int, guarantee: Guarantee) -> int | None:
    """The largest k with P(Binomial(n, miss_rate) <= k) <= 1 - confidence; None where even k = 0 says too little.

    >>> allowed_misses(59, Guarantee(0.05, 0.95)), allowed_misses(58, Guarantee(0.05, 0.95))
    (0, None)
    """
    largest = None
    for k in range(num_units):
        if bdtr(k, num_units, guarantee.miss_rate) > 1 - guarantee.confidence:
            break
        largest = k
    return largest


def units_needed(guarantee: Guarantee, misses: int = 0) -> int:
    """The least n of which `misses` may be missed.

    >>> units_needed(Guarantee(0.05, 0.95)), units_needed(Guarantee(0.05, 0.95), misses=1)
    (59, 93)
    """
    low, high = misses, misses + 1
    while bdtr(misses, high, guarantee.miss_rate) > 1 - guarantee.confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = bdtr(misses, middle, guarantee.miss_rate) <= 1 - guarantee.confidence
        low, high = (low, middle) if enough else (middle, high)
    return high


def largest_miss_rate(misses: int, num_units: int, confidence: float) -> float:
    """The least a with P(Binomial(n, a) <= k) <= 1 - confidence: the end of Clopper and Pearson's one-sided interval.

    >>> round(largest_miss_rate(0, 59, 0.95), 4)
    0.0495
    """
    if misses >= num_units:
        return 1.0
    return float(betaincinv(misses + 1, num_units - misses, confidence))


def reached_confidence(misses: int, num_units: int, miss_rate: float) -> float:
    """The confidence with which n units of which k were missed say that the true miss rate is at most `miss_rate`."""
    return 1 - float(bdtr(misses, num_units, miss_rate)) if misses < num_units else 0.0


@dataclass(frozen=True)
class Promise:
    """What n units allow to promise of one policy.

    kept: whether it is the promise that was asked for. miss_rate, confidence: of the promise that `threshold` keeps,
        the one that was asked for or else what these units allow with the same confidence. threshold: None where there
        are no units, or none whose failure is found in time by any threshold.
    misses, num_units: on the units that it was tuned on, with mean_time_to_event, cycles given up there.
    units_needed: at least so many are needed for what was asked, if as few are missed as can be.
    confidence_reached: with which these units say that no more than the miss rate that was asked for is missed, by the
        threshold that misses fewest.
    """

    kept: bool
    miss_rate: float
    confidence: float
    threshold: float | None
    misses: int | None
    num_units: int
    mean_time_to_event: float | None
    units_needed: int
    confidence_reached: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return asdict(self)


def promise(trade_off: TradeOff, guarantee: Guarantee) -> Promise:
    """The threshold that keeps `guarantee`, or what else can be promised by the units of `trade_off`.

    trade_off: of units that are independent of each other, and that neither the model nor the policy has seen before.
    """
    n = trade_off.num_units
    fewest = n - int(trade_off.num_caught.max(initial=0))
    misses = allowed_misses(n, guarantee) if n else None
    kept = misses is not None and fewest <= misses
    allowed = misses if kept and misses is not None else fewest
    point = trade_off.best(allowed / n) if n and allowed < n else None
    at = None if point is None else round(point.miss_rate * n)
    return Promise(
        kept=kept,
        miss_rate=guarantee.miss_rate if kept else largest_miss_rate(allowed, n, guarantee.confidence),
        confidence=guarantee.confidence,
        threshold=None if point is None else point.threshold,
        misses=at,
        num_units=n,
        mean_time_to_event=None if point is None else point.mean_time_to_event,
        units_needed=units_needed(guarantee, fewest if fewest < n else 0),
        confidence_reached=reached_confidence(fewest, n, guarantee.miss_rate) if n else 0.0,
    )


def promise_sentence(
    policy: str,
    found: Mapping[str, Any],
    asked: Guarantee,
    told: Callable[[float], str] = lambda steps: f"{steps:.1f} cycles",
) -> str:
    """What is promised of `policy`, or what is missing for what was asked.

    found: of `Promise.to_dict`. told: a time in steps, in words.
    """
    tuned = f"by {count_of(found['num_units'], 'unit')} that trained nothing, of which it missed {found['misses']}"
    if found["threshold"] is None:
        return (
            f"{policy}: nothing can be promised: "
            f"{'no threshold is in time for any of ' if found['num_units'] else 'there are '}"
            f"{count_of(found['num_units'] or 'no', 'unit')} of the policy part that did fail"
        )
    if found["kept"]:
        return (
            f"{policy} with threshold {found['threshold']:.4g} misses no more than {found['miss_rate']:.3g} of all "
            f"units, with confidence {found['confidence']:.3g} ({tuned}); there it gave up "
            f"{told(found['mean_time_to_event'])}"
        )
    return (
        f"{policy}: {count_of(found['num_units'], 'unit is', 'units are')} too few for a miss rate of "
        f"{asked.miss_rate:.3g} with confidence "
        f"{asked.confidence:.3g}: {found['units_needed']} are needed. With these it can be promised, with that "
        f"confidence, that no more than {found['miss_rate']:.3g} are missed (threshold {found['threshold']:.4g}); "
        f"that no more than {asked.miss_rate:.3g} are, with confidence {found['confidence_reached']:.3g}"
    )

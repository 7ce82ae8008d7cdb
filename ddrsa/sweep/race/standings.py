"""Standings of a race: who leads, who is settled, and the word with which the race ends.

Everything follows from the scores that there are, so that a race which was cut off goes on as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ddrsa.anytime import half_width

Floats = NDArray[np.float64]

_FEW_PAIRS = 3


class Word(StrEnum):
    """With which of three words a race ends."""

    BETTER = "better"
    EQUAL = "equal"
    UNDECIDED = "undecided"


class Place(StrEnum):
    """What is known of a configuration.

    RACING: not yet enough. WORSE: than the leader, by delta or more. CLOSE: it is not better than the leader by delta
    or more, and does not look worse by as much. TIED: by what is seen so far, the most repeats would not tell. OUT: too
    many of its runs failed.
    """

    LEADER = "leader"
    RACING = "racing"
    WORSE = "worse"
    CLOSE = "close"
    TIED = "tied"
    OUT = "out"


@dataclass(frozen=True)
class Rules:
    """What decides a race.

    least, most: repeats of a configuration before it is judged, and at all. delta: a difference that does not matter.
    error: the probability, at most, that the word at the end is wrong, whenever it ends. shared_noise: whether the
    noise of all configurations together stands for that of two, unless theirs is larger.
    """

    least: int
    most: int
    delta: float = 0.0
    error: float = 0.05
    shared_noise: bool = True


@dataclass(frozen=True)
class Gap:
    """How much worse than the leader a configuration is, on the repeats that both have (count), and the bounds.

    The bounds of all configurations hold at all looks together, with the probability 1 - error. deviation: of the mean,
    one standard error. last: half the width of the bounds that the most repeats would give, with the noise so far.
    """

    mean: float
    low: float
    high: float
    count: int
    deviation: float
    last: float


@dataclass(frozen=True)
class Standings:
    """One look at a race. leader: None before any score. places, gaps: of each configuration, its number the index.

    word: None while the race goes on.
    """

    leader: int | None
    places: tuple[Place, ...]
    gaps: tuple[Gap | None, ...]
    word: Word | None

    def numbers(self, place: Place) -> list[int]:
        """The configurations with this place."""
        return [number for number, each in enumerate(self.places) if each is place]


def standings(scores: Floats, rules: Rules, out: Sequence[bool] = ()) -> Standings:
    """The standings by the scores, of which lower ones are better.

    scores: (configurations, repeats), NaN where there is none. out: configurations whose runs fail; none by default.
    """
    count = len(scores)
    known = ~np.isnan(scores)
    gone = np.array(out, dtype=bool) if len(out) else np.zeros(count, dtype=bool)
    judged = (known.sum(axis=1) >= rules.least) & ~gone
    candidates = judged if judged.any() else known.any(axis=1) & ~gone
    places = [Place.OUT if each else Place.RACING for each in gone]
    if not candidates.any():
        return Standings(None, tuple(places), (None,) * count, None)
    leader = int(np.argmin(np.where(candidates, _adjusted_means(scores, known), np.inf)))
    places[leader] = Place.LEADER
    shared = _shared_noise(scores, known) if rules.shared_noise else None
    gaps: list[Gap | None] = [None] * count
    for number in range(count):
        if number == leader or gone[number]:
            continue
        gaps[number] = gap = _gap(scores[number] - scores[leader], rules, rules.error / max(count - 1, 1), shared)
        if gap is not None and judged[number] and judged[leader]:
            places[number] = _place(gap, rules.delta)
    if Place.RACING in places or not judged[leader]:
        return Standings(leader, tuple(places), tuple(gaps), None)
    word = Word.EQUAL if Place.CLOSE in places else Word.BETTER
    if Place.TIED in places:
        word = Word.UNDECIDED
    return Standings(leader, tuple(places), tuple(gaps), word)


def _place(gap: Gap, delta: float) -> Place:
    if gap.low > 0 and gap.low >= delta:
        return Place.WORSE
    if gap.low > -delta and gap.mean < delta:
        return Place.CLOSE
    if gap.count > _FEW_PAIRS and not _may_be_told(gap, delta):
        return Place.TIED
    return Place.RACING


def _may_be_told(gap: Gap, delta: float) -> bool:
    """Whether the most repeats may still give another place, if chance has been unkind so far.

    That is an effect one standard error away, and noise that is a fifth less than it looks.
    """
    low, high = gap.mean - gap.deviation, gap.mean + gap.deviation
    last = 0.8 * gap.last
    return high - last >= delta or (low < delta and high > last - delta and last < 2 * delta)


def _gap(differences: Floats, rules: Rules, alpha: float, shared: tuple[float, int] | None) -> Gap | None:
    """alpha: of one of all pairs with the true best, so that by Bonferroni the error is that of all of them."""
    pairs = differences[~np.isnan(differences)]
    n = len(pairs)
    if n == 0:
        return None
    mean = float(pairs.mean())
    # Of the difference on one repeat.
    noise = float(pairs.std(ddof=1)) if n > 1 else 0.0
    if shared is None:
        half = half_width(noise / math.sqrt(n), n - 1, n, alpha)
        last = half_width(noise / math.sqrt(rules.most), rules.most - 1, rules.most, alpha)
    else:
        variance, freedom = shared
        together = math.sqrt(2 * variance)
        # Two or three pairs do not show their own noise; where more are noisier than all others, theirs counts.
        noise = max(together, noise) if n > _FEW_PAIRS else together
        half = half_width(noise / math.sqrt(n), freedom, n / 2, alpha)
        last = half_width(noise / math.sqrt(rules.most), freedom, rules.most / 2, alpha)
    return Gap(mean, mean - half, mean + half, n, noise / math.sqrt(n), last)


def _adjusted_means(scores: Floats, known: NDArray[np.bool_]) -> Floats:
    """The mean of each configuration, less the effects of the repeats that it has; infinite where it has none."""
    means, _ = _two_way(scores, known)
    return np.where(known.any(axis=1), means, np.inf)


def _shared_noise(scores: Floats, known: NDArray[np.bool_]) -> tuple[float, int] | None:
    """The variance of the noise of a run and its degrees of freedom, with configuration and repeat accounted for."""
    usable = known & (known.sum(axis=1, keepdims=True) > 1)
    usable &= usable.sum(axis=0, keepdims=True) > 1
    freedom = int(usable.sum()) - int(usable.any(axis=1).sum()) - int(usable.any(axis=0).sum()) + 1
    if freedom < 1:
        return None
    _, rest = _two_way(np.where(usable, scores, np.nan), usable)
    return float((rest[usable] ** 2).sum()) / freedom, freedom


def _two_way(scores: Floats, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Least squares of configuration + repeat (R. A. Fisher, The Design of Experiments, 1935, randomised blocks).

    With the configurations eliminated, it is a system of the repeats alone; of its solutions the shortest is taken,
    since a constant may be moved between the two. Returns the means of the configurations, less the effects of the
    repeats that they have, and what is left of each score.
    """
    there = known.astype(float)
    filled = np.where(known, scores, 0.0)
    counts = np.maximum(there.sum(axis=1), 1.0)[:, None]
    system = np.diag(there.sum(axis=0)) - there.T @ (there / counts)
    right = (filled - there * (filled.sum(axis=1)[:, None] / counts)).sum(axis=0)
    effects = np.linalg.lstsq(system, right, rcond=None)[0]
    means = (filled - effects * there).sum(axis=1) / counts[:, 0]
    return means, np.where(known, scores - means[:, None] - effects, np.nan)

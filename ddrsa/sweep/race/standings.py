"""Standings of a race: who leads, who is settled, and the word with which the race ends.

Everything follows from the scores that there are, so that a race which was cut off goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ddrsa.repeats import FEW_PAIRS, Floats, Gap, Shared, adjusted_means, better_half, gap_of, shared_noise

# The noise is not taken from fewer configurations than that, where there are so many.
_FEWEST_WITH_NOISE = 3


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
class Standings:
    """One look at a race. leader: None before any score. places, gaps: of each configuration, its number the index.

    gaps: how much worse than the leader each is; the bounds of all of them hold at all looks together, with the
    probability 1 - error. word: None while the race goes on.
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
    means = adjusted_means(scores)
    leader = int(np.argmin(np.where(candidates, means, np.inf)))
    places[leader] = Place.LEADER
    # Of one of all pairs with the true best, so that by Bonferroni the error is that of all of them.
    alpha = rules.error / max(count - 1, 1)
    shared = _noise(scores, means, leader, rules, alpha) if rules.shared_noise else None
    gaps: list[Gap | None] = [None] * count
    for number in range(count):
        if number == leader or gone[number]:
            continue
        gaps[number] = gap = gap_of(scores[number] - scores[leader], alpha, rules.most, shared)
        if gap is not None and judged[number] and judged[leader]:
            places[number] = _place(gap, rules.delta)
    if Place.RACING in places or not judged[leader]:
        return Standings(leader, tuple(places), tuple(gaps), None)
    word = Word.EQUAL if Place.CLOSE in places else Word.BETTER
    if Place.TIED in places:
        word = Word.UNDECIDED
    return Standings(leader, tuple(places), tuple(gaps), word)


def _noise(scores: Floats, means: Floats, leader: int, rules: Rules, alpha: float) -> Shared | None:
    """The noise of the better half, without those that are worse than the leader by it, again and again.

    What is far behind is often far noisier than what is to be told apart.
    """
    chosen = better_half(means.tolist())
    while True:
        shared = shared_noise(scores[chosen])
        gaps = [gap_of(scores[number] - scores[leader], alpha, rules.most, shared) for number in chosen]
        left = [
            number
            for number, gap in zip(chosen, gaps, strict=True)
            if number == leader or gap is None or gap.count < rules.least or gap.least <= 0
        ]
        if shared is None or len(left) == len(chosen) or len(left) < _FEWEST_WITH_NOISE:
            return shared
        chosen = left


def _place(gap: Gap, delta: float) -> Place:
    if gap.least > 0 and gap.least >= delta:
        return Place.WORSE
    if gap.least > -delta and gap.mean < delta:
        return Place.CLOSE
    if gap.count > FEW_PAIRS and not _may_be_told(gap, delta):
        return Place.TIED
    return Place.RACING


def _may_be_told(gap: Gap, delta: float) -> bool:
    """Whether the most repeats may still give another place, if chance has been unkind so far.

    That is an effect one standard error away, and noise that is a fifth less than it looks.
    """
    low, high = gap.mean - gap.deviation, gap.mean + gap.deviation
    last = 0.8 * gap.last
    return high - last >= delta or (low < delta and high > last - delta and last < 2 * delta)

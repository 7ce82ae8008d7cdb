"""A race under way: the scores as they come, and which runs are wanted next."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from ddrsa.sweep.race.standings import Place, Rules, Standings, Word, standings

# So many failed repeats, and more than have a score, take a configuration out.
_TOO_MANY_FAILURES = 2

# A configuration and one of its repeats, by their numbers.
Entry = tuple[int, int]


class Race:
    """Configurations, each with a score for some of its repeats.

    A lower score is better; with `maximize` a higher one. What is wanted depends on the scores alone.
    """

    def __init__(self, count: int, rules: Rules, *, maximize: bool = False, max_runs: int | None = None) -> None:
        self.count = count
        self.rules = rules
        self.sign = -1.0 if maximize else 1.0
        self.max_runs = max_runs
        self.scores = np.full((count, rules.most), np.nan)
        self.failures: dict[Entry, str] = {}
        self._standings: Standings | None = None

    def record(self, entry: Entry, score: float) -> None:
        """Take the score of a run that completed."""
        self.scores[entry] = self.sign * score
        self._standings = None

    def fail(self, entry: Entry, reason: str) -> None:
        """Take note of a run without a score."""
        self.failures[entry] = reason
        self._standings = None

    @property
    def ended(self) -> int:
        """The runs that have ended, with a score or without."""
        return int((~np.isnan(self.scores)).sum()) + len(self.failures)

    @property
    def out(self) -> list[bool]:
        """Which configurations have failed too often to go on."""
        failed = [sum(1 for number, _ in self.failures if number == each) for each in range(self.count)]
        scored = (~np.isnan(self.scores)).sum(axis=1)
        return [bad >= _TOO_MANY_FAILURES and bad > good for bad, good in zip(failed, scored, strict=True)]

    def look(self) -> Standings:
        """The standings now."""
        if self._standings is None:
            self._standings = standings(self.scores, self.rules, self.out)
        return self._standings

    def wanted(self, under_way: Container[Entry], started: int, count: int) -> list[Entry]:
        """At most `count` runs that should start now, the lowest repeats first. started: runs so far, of all kinds."""
        if self.max_runs is not None:
            count = min(count, self.max_runs - started)
        look = self.look()
        if count <= 0 or look.word is not None:
            return []
        going_on = [number for number, place in enumerate(look.places) if place in (Place.LEADER, Place.RACING)]
        entries = [
            (repeat, number)
            for number in going_on
            for repeat in range(self.rules.most)
            if np.isnan(self.scores[number, repeat])
            and (number, repeat) not in self.failures
            and (number, repeat) not in under_way
        ]
        return [(number, repeat) for repeat, number in sorted(entries)[:count]]

    def word(self) -> Word:
        """That at the end: `undecided` where the race ended before it was known."""
        return self.look().word or Word.UNDECIDED

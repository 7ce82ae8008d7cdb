"""Plan of a sweep that has a time limit: which run starts next, which are asked to end, and when all is done.

It knows runs by their numbers, and no clock and no process: `ddrsa.sweep.supervise.timed` tells it what happens, and
`benchmarks/deadline.py` replays recorded sweeps with it. An `instant` is a time of a monotonic clock, in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ddrsa.sweep.supervise.durations import PredictedDurations, Prediction, packed

# Of a run that may take longer than predicted by more than this share, too little is known to leave it out.
_MOST_SPREAD = 0.25

# By so many of the last runs is it told how long an evaluation takes; by how many at least, how much that varies.
_LAST, _FEWEST = 20, 4

# One of these starts where so many times what any run has taken for an epoch and its evaluation is left.
_SURE = 2

# What a run that was asked to end gets beyond its epoch and its evaluation, before it is ended.
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Described:
    """What a duration is predicted by: the kind of a run, and its swept values. done: the share done before."""

    kind: str
    values: Mapping[str, str]
    done: float = 0.0


@dataclass
class UnderWay:
    """A run under way. total: predicted, when it began. asked: when it was asked to end. killed: it was not asked.

    marks: the first and the last end of an epoch that were seen, with its number.
    """

    described: Described
    began: float
    total: float | None
    num_epochs: int | None = None
    marks: list[tuple[int, float]] = field(default_factory=list)
    asked: float | None = None
    killed: bool = False

    @property
    def epoch(self) -> int:
        """The last that has ended; 0 before the first."""
        return self.marks[-1][0] if self.marks else 0

    @property
    def per_epoch(self) -> float | None:
        """Seconds of an epoch, None before one has been seen from its beginning to its end."""
        if len(self.marks) < 2:
            # In an attempt that goes on from a checkpoint, the first is not.
            whole = bool(self.marks) and self.marks[0][0] == 1 and not self.described.done
            return self.marks[0][1] - self.began if whole else None
        (first, since), (last, until) = self.marks[0], self.marks[-1]
        return (until - since) / (last - first)


class TimePlan:
    """Decides by predicted durations. left: seconds until the limit, at any time."""

    def __init__(self, left: Callable[[], float]) -> None:
        self.left = left
        self.durations = PredictedDurations()
        self._under_way: dict[int, UnderWay] = {}
        self._tails: dict[str, list[float]] = {}  # by kind, seconds after the last epoch
        self._shortest = 0.0  # in less than that, no run has done its first epoch and been evaluated

    def known(self, described: Described, seconds: float) -> None:
        """A run took so long, in this sweep or before."""
        self.durations.add(described.kind, described.values, seconds)

    def began(self, number: int, described: Described, instant: float) -> None:
        """A run starts."""
        self._under_way[number] = UnderWay(described, instant, self.seconds(described))

    def epoch(self, number: int, epoch: int, num_epochs: int | None, instant: float) -> None:
        """A run has done so many of its epochs."""
        run = self._under_way[number]
        run.num_epochs = num_epochs
        if epoch > run.epoch:
            run.marks[1:] = [(epoch, instant)]

    def ended(self, number: int, instant: float, *, whole: bool) -> bool:
        """A run has ended. whole: it is done, and did all of it in this attempt, so that its duration tells.

        Returns whether it was asked to end, or ended.
        """
        run = self._under_way.pop(number)
        if run.marks and (whole or (run.asked is not None and not run.killed)):
            self._tails.setdefault(run.described.kind, []).append(instant - run.marks[-1][1])
        if whole and not run.described.done:
            self.known(run.described, instant - run.began)
            saved = run.marks[-1][1] - run.marks[0][1] if run.marks else 0.0
            shortest = instant - run.began - saved
            self._shortest = min(self._shortest or shortest, shortest)
        return run.asked is not None

    def ask_again(self, number: int) -> None:
        """The run could not be asked now."""
        self._under_way[number].asked = None

    def end(self, number: int, instant: float) -> None:
        """The run is ended."""
        run = self._under_way[number]
        run.asked, run.killed = instant, True

    def seconds(self, described: Described) -> float | None:
        """The predicted duration of what is left of a run; None while nothing is known."""
        return None if (predicted := self._predicted(described)) is None else predicted.seconds

    def _predicted(self, described: Described) -> Prediction | None:
        predicted = self.durations.predicted(described.kind, described.values)
        if predicted is None:  # those under way may tell
            found = [
                run.per_epoch * run.num_epochs + self._tail(run)
                for run in self._under_way.values()
                if run.per_epoch and run.num_epochs
            ]
            predicted = Prediction(sum(found) / len(found), _MOST_SPREAD) if found else None
        return None if predicted is None else replace(predicted, seconds=predicted.seconds * (1 - described.done))

    def _tail(self, run: UnderWay) -> float:
        """Seconds that a run takes after its last epoch, at most, as a rule.

        A standard deviation more than others of its kind in the mean; where there are few of these, no less than of
        all; before there are any as much as an epoch.
        """
        of_kind = self._tails.get(run.described.kind, [])[-_LAST:]
        found = [_at_most(of_kind)] if of_kind else []
        if len(of_kind) < _FEWEST and self._tails:
            found.append(_at_most([each for tails in self._tails.values() for each in tails[-_LAST:]]))
        return max(found, default=run.per_epoch or 0.0)

    def rest(self, number: int, instant: float) -> float | None:
        """Seconds that a run under way still takes, by its own epochs where it tells them."""
        run = self._under_way[number]
        if run.per_epoch is not None and run.num_epochs is not None:
            since = instant - run.marks[-1][1]
            return max(run.per_epoch * (run.num_epochs - run.epoch) + self._tail(run) - since, 0.0)
        total = self.seconds(run.described) if run.total is None else run.total
        return None if total is None else max(total - (instant - run.began), 0.0)

    def next(self, waiting: Sequence[Described]) -> int | None:
        """The place of the run that starts now: of those that will have ended in time the longest; None for none.

        How sure the predictions are is allowed for: a run that ends just in time by the prediction may not. One of
        which nothing is known starts as long as there is time. So does one of which little is known, where no other
        would be done in time, and if it may well take no longer than that: the likeliest of these, as long as there is
        ample time for an epoch and its evaluation.
        """
        left = self.left()
        if left <= 0:
            return None
        best, longest = None, -1.0
        likeliest, least = None, 1.0
        for place, described in enumerate(waiting):
            predicted = self._predicted(described)
            if predicted is None:
                return place
            seconds, spread = predicted.seconds, predicted.spread
            if longest < seconds <= left / (1 + spread):
                best, longest = place, seconds
            elif spread > _MOST_SPREAD and (beyond := math.log(max(seconds, 1e-3) / left) / spread) < least:
                likeliest, least = place, beyond
        return likeliest if best is None and left >= _SURE * self._shortest else best

    @property
    def margin(self) -> float:
        """By what share a run of a known kind may take longer than predicted, and still be in time."""
        return min(self.durations.spread, _MOST_SPREAD)

    def to_ask(self, instant: float) -> list[int]:
        """The runs under way that shall end after the epoch that they are at: they would not be done in time.

        An epoch is begun when the limit is nearer to its end than to its beginning, so that it is missed by no more
        than half an epoch, early or late.
        """
        left = self.left()
        asked = []
        for number, run in self._under_way.items():
            if run.asked is not None:
                continue
            half = (run.per_epoch or 0.0) / 2
            rest = self.rest(number, instant)
            if left <= self._tail(run) + half and (rest is None or rest > left + half):
                run.asked = instant
                asked.append(number)
        return asked

    def overdue(self, instant: float, cooperative: Callable[[int], bool]) -> list[int]:
        """The runs under way that are ended now: those that cannot be asked, and those that do not do as asked.

        cooperative: whether a run looks for the wish that it ends.
        """
        if self.left() > 0:
            return []
        return [
            number
            for number, run in self._under_way.items()
            if not cooperative(number) or -self.left() > self._patience(run, instant)
        ]

    def _patience(self, run: UnderWay, instant: float) -> float:
        # Of one that is at its first epoch, nobody knows how long that is.
        epoch = instant - run.began if run.per_epoch is None else run.per_epoch
        return 2 * (epoch + self._tail(run)) + _PATIENCE_SECONDS

    def outlook(self, waiting: Sequence[Described], n_jobs: int, instant: float) -> tuple[float, int] | None:
        """Seconds until all ends, and how many of those that wait will not have started; None while it is not known."""
        left = self.left()
        rests = [self.rest(number, instant) for number in self._under_way]
        lengths = [self.seconds(each) for each in waiting]
        known = [each for each in rests if each is not None], [each for each in lengths if each is not None]
        if len(known[0]) < len(rests) or len(known[1]) < len(lengths):
            return None
        finish, chosen = packed(
            [min(rest, max(left, 0.0)) for rest in known[0]], known[1], n_jobs, left / (1 + self.margin)
        )
        return finish, len(waiting) - len(chosen)


def _at_most(seconds: Sequence[float]) -> float:
    """A standard deviation above the mean; where that says little, as much more as a run of which little is known."""
    mean = sum(seconds) / len(seconds)
    if len(seconds) < _FEWEST:
        return (1 + _MOST_SPREAD) * mean
    return mean + math.sqrt(sum((each - mean) ** 2 for each in seconds) / (len(seconds) - 1))

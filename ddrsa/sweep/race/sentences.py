"""The answer of a race, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ddrsa.sweep.race.race import Race
from ddrsa.sweep.race.standings import Place, Word
from ddrsa.texts import count_of

_MOST_NAMES = 4


def answer(race: Race, labels: Sequence[str], title: str) -> str:
    """What the race says, with its error: better, equal or undecided, and between whom."""
    seen, rules = race.look(), race.rules
    if seen.leader is None:
        return "not decided: no configuration has a score"
    best = labels[seen.leader]
    error = f"wrong at most once in {1 / rules.error:.3g} such races, whenever it is looked at"
    if race.count == 1:
        return f"{best} is the only configuration: there is nothing to race against"
    gone = seen.numbers(Place.OUT)
    left_out = "" if not gone else f" Out of the race, because their runs failed: {_names(labels, gone)}."
    worse = [
        gap.least for number, gap in enumerate(seen.gaps) if gap is not None and seen.places[number] is Place.WORSE
    ]
    others = f"the other {len(worse)}" if len(worse) > 1 else "the other"
    margin = f"(delta = {rules.delta:g})"
    if race.word() is Word.BETTER:
        if not worse:
            return f"{best} is left alone.{left_out}"
        lead = f"by at least {min(worse):.3g} {margin}"
        return f"better: {best} has a better {title} than {others}, {lead}; {error}.{left_out}"
    if race.word() is Word.EQUAL:
        close = _names(labels, seen.numbers(Place.CLOSE))
        return (
            f"equal within {rules.delta:g}: none is better than {best} by {rules.delta:g} of {title} or more, and "
            f"these are not clearly worse: {close}; {error}.{left_out}"
        )
    open_ones = seen.numbers(Place.RACING) + seen.numbers(Place.TIED)
    enough = ""
    if seen.word is Word.UNDECIDED:
        enough = (
            f" It ends here: by the noise so far, {count_of(rules.most, 'repeat')} of each would not tell; a larger "
            "delta, or more repeats, may."
        )
    return (
        f"not decided after {count_of(race.ended, 'run')}: {best} leads, and of these it is not known whether they are "
        f"better or worse: {_names(labels, open_ones)} {margin}.{enough}{left_out}"
    )


def _names(labels: Sequence[str], numbers: Sequence[int]) -> str:
    shown = [labels[number] for number in numbers[:_MOST_NAMES]]
    more = len(numbers) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")

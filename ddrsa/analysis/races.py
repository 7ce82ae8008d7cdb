"""Answers of races, from their own records: what the analysis says of the same runs is another thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddrsa.analysis.answer import plain
from ddrsa.analysis.criterion import Criterion
from ddrsa.analysis.metrics import metric
from ddrsa.rundir.race_record import RACE, RaceResult, read_race
from ddrsa.texts import count_of

_BETTER = {"minimize": ", lower is better", "maximize": ", higher is better"}


@dataclass(frozen=True)
class Race:
    """The race in `directory`. result: None where its record cannot be read; problem: why."""

    directory: Path
    result: RaceResult | None
    problem: str | None = None

    @property
    def words(self) -> str:
        """What it says, or why that is not known."""
        if self.result is None:
            return f"What the race says is not known: {self.problem}."
        return self.result.answer

    @property
    def basis(self) -> str:
        """What it says that of."""
        if self.result is None:
            return ""
        better = _BETTER.get(self.result.direction or "", "")
        runs = count_of(self.result.runs, "run")
        return f"The race's own answer after {runs}, by {self.result.objective}{better} ({RACE})"

    @property
    def caption(self) -> str:
        """What the interval of a standing is."""
        error = None if self.result is None else self.result.error
        share = "" if error is None else f"{100 * (1 - error):g} % "
        return f"How far each is behind the leader, with the {share}interval that holds at all looks together"

    def to_dict(self) -> dict[str, Any]:
        """Everything as objects, lists, texts and numbers."""
        result = {} if self.result is None else asdict(self.result)
        return plain({"directory": str(self.directory), "problem": self.problem, **result})


def races_of(sources: Mapping[str, Path]) -> list[Race]:
    """The races among the sweeps."""
    found = []
    for source in sources.values():
        try:
            result = read_race(source)
        except (OSError, ValueError) as error:
            found.append(Race(source, None, " ".join(str(error).split())))
            continue
        if result is not None:
            found.append(Race(source, result))
    return found


def apart(criterion: Criterion) -> str:
    """That the analysis which follows is not the race, and how the two differ."""
    return (
        "What follows is no part of the race: it is the analysis of all runs that have completed, by "
        f"{metric(criterion.metric).label} {criterion.units}, each configuration by the mean over the repeats that it "
        "has, of which the race gave more to some than to others."
    )

"""Record of a race as its directory holds it, checked as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.rundir.files import read_json
from ddrsa.rundir.structure import Fields, ListOf, check_structure

# The standings and the answer after the last look, and a line for each look.
RACE = "race.json"
LOOKS = "race_looks.jsonl"

_BOUNDS = Fields({"mean": (float, None), "low": (float, None), "high": (float, None), "least": (float, None)})
_CONFIGURATION = {
    "configuration!": str,
    "place!": str,
    "mean": (float, None),
    "behind_leader": (dict, None),
    "scores": dict,
}
_RECORD = Fields(
    {
        "answer!": str,
        "objective!": str,
        "runs!": int,
        "word": (str, None),
        "direction": str,
        "rules": Fields({"error": float, "delta": float}),
        "configurations!": ListOf(Fields(_CONFIGURATION)),
    }
)


@dataclass(frozen=True)
class Standing:
    """What a race says of a configuration.

    place: leader, racing, worse, close, tied or out. mean: of its repeats. behind: by how much it is worse than the
    leader, on the repeats that both have. low, high: the interval of that, which holds at all looks together. None
    where there is too little to tell, and for the leader.
    """

    configuration: str
    place: str
    repeats: int
    mean: float | None
    behind: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RaceResult:
    """What a race says after its last look.

    answer: in words. word: better, equal or undecided; None where it was still open whether there would be one of them.
    error: the probability, at most, that it is wrong. runs: how many have ended. standings: the leader first.
    """

    answer: str
    word: str | None
    objective: str
    direction: str | None
    runs: int
    error: float | None
    standings: tuple[Standing, ...]


def is_race(sweep_dir: Path) -> bool:
    """Whether the runs in `sweep_dir` are those of a race that has had a look."""
    return (sweep_dir / RACE).is_file()


def read_race(sweep_dir: Path) -> RaceResult | None:
    """The result of the race in `sweep_dir`, None where there is none.

    Raises ValueError, which names the file and the key, where the record cannot be read or is not as a race writes it;
    OSError where it may not be read.
    """
    file = sweep_dir / RACE
    content = read_json(file)
    if content is None:
        return None
    check_structure(content, _RECORD, file)
    for place, each in enumerate(content["configurations"]):
        if each.get("behind_leader") is not None:
            check_structure(each["behind_leader"], _BOUNDS, file, f"configurations[{place}].behind_leader")
    standings = [_standing(each) for each in content["configurations"]]
    return RaceResult(
        answer=content["answer"],
        word=content.get("word"),
        objective=content["objective"],
        direction=content.get("direction"),
        runs=content["runs"],
        error=(content.get("rules") or {}).get("error"),
        standings=tuple(sorted(standings, key=_from_the_leader_on)),
    )


def _standing(each: dict[str, Any]) -> Standing:
    behind = each.get("behind_leader") or {}
    return Standing(
        configuration=each["configuration"],
        place=each["place"],
        repeats=len(each.get("scores") or {}),
        mean=each.get("mean"),
        behind=behind.get("mean"),
        low=behind.get("low"),
        high=behind.get("high"),
    )


def _from_the_leader_on(each: Standing) -> tuple[bool, bool, float]:
    return each.place != "leader", each.behind is None, each.behind or 0.0

"""Tracker: what a tracker is told, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ddrsa.rundir.states import State


@dataclass(frozen=True)
class Point:
    """A metric at a step. milliseconds: since 1970, the same whenever the point is sent."""

    name: str
    value: float
    step: int
    milliseconds: int


@dataclass(frozen=True)
class Described:
    """A run, or the sweep, as a tracker opens it.

    key: the same whenever it is opened; a tracker that has an entry with it goes on with that. began: milliseconds
    since 1970. parent: the tracker's id of the sweep; None of the sweep itself, and of a single run.
    """

    key: str
    name: str
    began: int
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    is_sweep: bool = False


class Tracker(Protocol):
    """A tracker. Ids are its own. What it raises means that it has to be told again.

    place: where it keeps what it is told, for users; without passwords. Entries of another place are another's.
    durable: whether what it was told of a run is kept although this process may be killed before the run has ended.
    """

    name: str
    place: str
    durable: bool

    def open(self, described: Described, known: str | None) -> str:
        """The id of the entry, made now unless there is one; known: its id, where it was made before."""

    def points(self, entry: str, points: Sequence[Point]) -> None:
        """Add points. One that is there already may be told again."""

    def summary(self, entry: str, metrics: Mapping[str, float], tags: Mapping[str, str], step: int) -> None:
        """The result of a run, at its last step, and what is known of it at its end."""

    def files(self, entry: str, files: Sequence[tuple[Path, str]]) -> list[str]:
        """Keep these files, each with the folder that it belongs into; returns those that it has no place for."""

    def state(self, entry: str, state: State, reason: str | None, ended: int | None) -> None:
        """How it stands with the entry. ended: milliseconds since 1970."""

    def close(self) -> None:
        """Send what is waiting; nothing is told after it."""

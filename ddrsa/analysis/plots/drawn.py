"""Plots as data: drawn, left out with a reason, written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure, its title, and what it shows in words, for those who cannot see it."""

    figure: Figure
    title: str
    description: str


class NotDrawn(Exception):  # noqa: N818  (no error: a sweep need not have swept everything)
    """The runs do not suffice for a plot. The message says what is missing."""


@dataclass(frozen=True)
class Plot:
    """A plot in its two files."""

    name: str
    title: str
    description: str
    png: Path
    svg: Path


@dataclass(frozen=True)
class LeftOut:
    """A plot that was not drawn, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Plots:
    """The plots of an analysis, and those that it has not."""

    drawn: list[Plot] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

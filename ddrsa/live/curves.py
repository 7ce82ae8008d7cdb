"""Curves of runs: the metrics of each epoch, thinned to what a screen can show."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from ddrsa.follow.series import SeriesReader
from ddrsa.texts import printable

MOST_POINTS = 300
MOST_RUNS = 40
# Columns of logs that are no metric.
_NO_METRICS = frozenset({"seconds", "checksum", "time", "timestamp"})


class Curves:
    """The series of runs; a file is read again only when it has changed. Keeps those that were asked for last."""

    def __init__(self) -> None:
        self._readers: OrderedDict[Path, SeriesReader] = OrderedDict()

    def of(self, directory: Path) -> dict[str, list[list[float]]]:
        """Steps and values by the name of the metric; of two of one name, the second has its file's too."""
        reader = self._readers.pop(directory, None) or SeriesReader(directory)
        self._readers[directory] = reader
        while len(self._readers) > 4 * MOST_RUNS:
            self._readers.popitem(last=False)
        found: dict[str, list[list[float]]] = {}
        for series in reader.read():
            points: dict[str, list[list[float]]] = {}
            for row in series.rows:
                for name, value in row.values.items():
                    if name.lower() not in _NO_METRICS:
                        steps, values = points.setdefault(name, [[], []])
                        steps.append(row.step)
                        values.append(value)
            for name, curve in points.items():
                shown = printable(name)
                found[f"{printable(series.name)}: {shown}" if shown in found else shown] = _thinned(curve)
        return found

    def notes(self, directory: Path) -> list[str]:
        """What cannot be read of a run that was asked for."""
        reader = self._readers.get(directory)
        return [] if reader is None else [printable(note) for note in dict.fromkeys(reader.notes)]


def _thinned(curve: list[list[float]]) -> list[list[float]]:
    """Of many points the lowest and the highest of each stretch, so that no peak is lost; the first and the last."""
    steps, values = curve
    count = len(steps)
    if count <= MOST_POINTS:
        return curve
    kept = {0, count - 1}
    stretch = 2 * count / MOST_POINTS
    for number in range(MOST_POINTS // 2):
        here = range(int(number * stretch), min(int((number + 1) * stretch), count))
        kept |= {min(here, key=values.__getitem__), max(here, key=values.__getitem__)}
    order = sorted(kept)
    return [[steps[at] for at in order], [values[at] for at in order]]


def answer_for(curves: Curves, directory: Path) -> dict[str, Any]:
    """Curves and notes of a run, for the page."""
    return {"curves": curves.of(directory), "notes": curves.notes(directory)}

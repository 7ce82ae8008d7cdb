"""Record of a race: race.json with the standings, race_looks.jsonl with every look, and what is printed of them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrsa.errors import UsageError
from ddrsa.repeats import Gap
from ddrsa.rundir.files import now, open_no_links, write_json
from ddrsa.rundir.race_record import LOOKS, RACE, read_race
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.race.race import Entry, Race
from ddrsa.sweep.race.sentences import answer
from ddrsa.sweep.race.standings import Place, Standings
from ddrsa.texts import count_of, printable


def print_answer(sweep_dir: Path, console: Console) -> None:
    """Print what the race in `sweep_dir` says. Raises UsageError where its record is damaged."""
    try:
        result = read_race(sweep_dir)
    except (OSError, ValueError) as error:
        raise UsageError(f"the answer of the race is not shown: {error}") from error
    if result is None:
        raise UsageError(f"the answer of the race is not shown: there is no {RACE} in {sweep_dir} any more")
    console.print(Text(printable(result.answer)), soft_wrap=True)


class RaceRecord:
    """What a race leaves behind in its sweep directory."""

    def __init__(self, directory: Path, race: Race, labels: Sequence[str], keys: Sequence[str], title: str) -> None:
        """labels: each configuration as overrides. keys: in which its repeats differ. title: of the objective."""
        self.directory = directory
        self.race = race
        self.labels = list(labels)
        self.keys = list(keys)
        self.title = title
        self._runs: dict[Entry, str] = {}
        self._seen = -1

    def manifest(self) -> dict[str, Any]:
        """What experiment_manifest.json says of the race."""
        return {"race": {"rules": asdict(self.race.rules), "configurations": self.labels, "objective": self.title}}

    def planned(self, entry: Entry, run: PlannedRun) -> None:
        """Take note of where the run of a configuration's repeat is."""
        self._runs[entry] = os.path.relpath(run.directory, self.directory)

    def look(self, started: int) -> None:
        """Put down the present standings, where a run has ended since the last look."""
        race = self.race
        if race.ended == self._seen or race.ended == 0:
            return
        self._seen = race.ended
        seen = race.look()
        line = {
            "at": now(),
            "runs": race.ended,
            "started": started,
            "leader": None if seen.leader is None else self.labels[seen.leader],
            "racing": [self.labels[number] for number in seen.numbers(Place.RACING)],
            "word": seen.word,
        }
        with open_no_links(self.directory / LOOKS, "a") as stream:
            stream.write(json.dumps(line) + "\n")
        write_json(self.directory / RACE, self._content(seen), durable=False)

    def _content(self, seen: Standings) -> dict[str, Any]:
        race = self.race
        configurations = []
        for number, (label, place, gap) in enumerate(zip(self.labels, seen.places, seen.gaps, strict=True)):
            scores = race.sign * race.scores[number]
            known = {self._repeat(repeat): float(score) for repeat, score in enumerate(scores) if not np.isnan(score)}
            failed = {self._repeat(at): why for (of, at), why in race.failures.items() if of == number}
            runs = [path for (of, _), path in sorted(self._runs.items()) if of == number]
            configurations.append(
                {
                    "configuration": label,
                    "place": place,
                    "mean": None if not known else sum(known.values()) / len(known),
                    "scores": known,
                    "failed": failed,
                    "behind_leader": None if gap is None else _bounds(gap),
                    "directories": runs,
                }
            )
        return {
            "objective": self.title,
            "direction": "maximize" if race.sign < 0 else "minimize",
            "repeat_keys": self.keys,
            "rules": asdict(race.rules),
            "runs": race.ended,
            "word": seen.word,
            "answer": answer(race, self.labels, self.title),
            "configurations": configurations,
        }

    def _repeat(self, number: int) -> str:
        return str(number)

    def print(self, console: Console) -> None:
        """Print the standings and the answer."""
        console.print(self._table())
        console.print(Text(answer(self.race, self.labels, self.title)), soft_wrap=True)

    def _table(self) -> Table:
        race, seen = self.race, self.race.look()
        table = Table(
            box=None,
            padding=(0, 2, 0, 0),
            title=Text(f"the race after {count_of(race.ended, 'run')}", style="bold"),
            title_justify="left",
            header_style="dim",
        )
        behind = f"behind by (at least, {1 - race.rules.error:.0%} at all looks)"
        for name in ("place", "repeats", f"mean {self.title}", behind):
            table.add_column(name, justify="left" if name == "place" else "right", no_wrap=True)
        table.add_column("configuration", overflow="fold", min_width=20)
        counts = (~np.isnan(race.scores)).sum(axis=1)
        gaps = [gap.mean if gap is not None else math.inf for gap in seen.gaps]
        order = sorted(range(race.count), key=lambda number: (number != seen.leader, gaps[number]))
        for number in order:
            scores = race.sign * race.scores[number]
            mean = f"{np.nanmean(scores):.5g}" if counts[number] else ""
            gap = seen.gaps[number]
            shown = "" if gap is None else _shown_gap(gap)
            table.add_row(seen.places[number], str(counts[number]), mean, shown, Text(self.labels[number]))
        return table


def _bounds(gap: Gap) -> dict[str, Any]:
    """A bound that is not known is null."""
    return {"mean": gap.mean, "low": gap.low, "high": gap.high, "least": gap.least, "repeats": gap.count}


def _shown_gap(gap: Gap) -> str:
    if not math.isfinite(gap.least):
        return f"{gap.mean:.3g} (too few repeats)"
    return f"{gap.mean:.3g} ({gap.least:.3g})"

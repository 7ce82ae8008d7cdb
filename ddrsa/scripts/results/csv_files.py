"""Numbers in the CSV files of a script: the last of each column."""

from __future__ import annotations

import csv
from pathlib import Path

from ddrsa.rundir.finite import finite
from ddrsa.scripts.results.numbers import Numbers


def read_csv_numbers(path: Path) -> Numbers:
    """The last number of each column that has one; the first line names the columns. Raises OSError and ValueError.

    A log of epochs has a row for each; the columns of one row may be filled in several.
    """
    found = Numbers()
    with path.open(newline="", encoding="utf-8-sig") as stream:
        try:
            for row in csv.DictReader(stream):
                for name, text in row.items():
                    number = _number(text)
                    if name and number is not None:
                        found.results[name.strip()] = number
        except csv.Error as error:
            raise ValueError(str(error)) from error
    return found


def _number(text: object) -> float | None:
    try:
        return finite(float(text)) if isinstance(text, str) else None
    except ValueError:
        return None

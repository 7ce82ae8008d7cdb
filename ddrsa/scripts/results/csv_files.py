"""Numbers in the CSV files of a script: the last of each column."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

from ddrsa.rundir.finite import finite
from ddrsa.scripts.results.numbers import Numbers

log = logging.getLogger(__name__)

# What programs write where there is no value.
_NO_VALUE = ("", "NA")


def read_csv_numbers(path: Path) -> Numbers:
    """The last number of each column that has one; the first line names the columns. Raises OSError and ValueError.

    A log of epochs has a row for each; the columns of one row may be filled in several. Where semicolons divide the
    columns, the decimal point may be a comma, as R's write.csv2 and spreadsheets have it.
    """
    found = Numbers()
    with path.open(newline="", encoding="utf-8-sig") as stream:
        try:
            names = stream.readline()
            delimiter = next((each for each in (",", ";", "\t") if each in names), ",")
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=delimiter, restkey="")
            _check_names([name.strip() for name in reader.fieldnames or ()])
            for row in reader:
                for name, text in row.items():
                    if name and isinstance(text, str) and text.strip() not in _NO_VALUE:
                        _take(found, name.strip(), text, delimiter, path)
        except csv.Error as error:
            raise ValueError(str(error)) from error
    return found


def _take(found: Numbers, name: str, text: str, delimiter: str, path: Path) -> None:
    try:
        found.results[name] = finite(float(text.replace(",", ".") if delimiter == ";" else text))
    except ValueError:
        if found.results.pop(name, None) is not None:
            log.warning("%s: the column %s ends in %r, which is no number: it is left out", path, name, text)


def _check_names(names: list[str]) -> None:
    if names and all(map(_is_number, names)):
        raise ValueError("its first line has numbers, where the names of the columns are expected")
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise ValueError(f"two of its columns are called {twice[0]}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""How a text file is written: its separator, encoding, header, and the marks in its numbers."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.data.proposal.columns import Guess
from ddrsa.data.table.encodings import find_encoding, opened
from ddrsa.data.table.files import EXCEL, PARQUET, readable
from ddrsa.data.table.source import Table
from ddrsa.data.table.text_files import find_format
from ddrsa.data.table.values import texts
from ddrsa.data.table_options import SEPARATORS, TableOptions
from ddrsa.errors import DataError

_SAMPLE = 100_000


def guess_text(path: Path, base: TableOptions) -> tuple[TableOptions, dict[str, Guess]]:
    """The options that read the file, and the guesses among them."""
    if {*PARQUET, *EXCEL} & set(path.suffixes):
        return base, {}
    with readable(path):
        return _guess_text(path, base)


def _guess_text(path: Path, base: TableOptions) -> tuple[TableOptions, dict[str, Guess]]:
    guesses: dict[str, Guess] = {}
    with opened(path) as stream:
        encoding = find_encoding(path)
        lines = io.TextIOWrapper(stream, encoding=encoding, errors="replace").read(_SAMPLE).splitlines()
    above = _lines_above(lines)
    if above:
        base = replace(base, skip_lines=above)
        guesses["skip_lines"] = Guess(above, f"the lines before have other cells: {lines[0][:40]!r}")
    form = None
    try:
        form = find_format(path, base)
    except DataError as error:
        if "dataset.columns" not in str(error):
            raise
    if form is None or any(_is_value(name) for name in form.columns):
        separator = form.separator if form is not None else _separator_of_rows(lines[above])
        cells = len(next(csv.reader([lines[above]], delimiter=separator)))
        names = [f"column_{n + 1}" for n in range(cells)]
        base = replace(base, separator=separator, columns=names)
        guesses["columns"] = Guess(names, "the first line has values: names to be corrected")
        form = find_format(path, base)
    word = {mark: name for name, mark in SEPARATORS.items()}.get(form.separator, form.separator)
    if form.separator != ",":
        guesses["separator"] = Guess(word, "it parts the first line into most names")
    if form.encoding not in ("utf-8", "utf-8-sig"):
        odd = next((word for word in "\n".join(lines).split() if not word.isascii()), "")
        doubt = "" if form.encoding.startswith("utf") else f"so it has {odd[:40]!r}; other encodings have other letters"
        guesses["encoding"] = Guess(form.encoding, "the file is no UTF-8", doubt)
    return replace(base, separator=form.separator, encoding=form.encoding), guesses


def _separator_of_rows(line: str) -> str:
    return max(("\t", ";", "|", ","), key=line.count)


def _lines_above(lines: list[str]) -> int:
    """How many lines stand before the table: those before the first that has as many cells as most lines have."""
    lines = [line for line in lines[:-1] or lines if line.strip()]
    if len(lines) < 4 or re.fullmatch('"?sep=."?', lines[0].strip(), re.IGNORECASE):
        return 0
    separator = max(("\t", ";", "|", ","), key=lambda mark: np.median([line.count(mark) for line in lines]))
    cells = [len(row) for row in csv.reader([line.rstrip().rstrip(separator) for line in lines], delimiter=separator)]
    usual = int(np.median(cells))
    if usual < 2 or cells[0] >= usual:
        return 0
    return next(number for number, count in enumerate(cells) if count >= usual)


def _is_value(name: str) -> bool:
    """Whether a name of a column is a number or a date: then it is none."""
    return bool(re.fullmatch(r"[+-]?\d+([.,]\d+)?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T]\d.*)?", name.strip()))


def guess_marks(table: Table, base: TableOptions) -> tuple[TableOptions, dict[str, Guess]]:
    """The decimal mark and that between thousands, by the numbers in the columns of texts."""
    columns = [texts(table.frame[column]).dropna().head(200_000) for column in table.columns[:50]]
    guesses: dict[str, Guess] = {}
    for word, mark in (("space", "[ \u00a0\u202f]"), ("apostrophe", "['\u2019]")):
        grouped = rf"[+-]?\d{{1,3}}({mark}\d{{3}})+([.,]\d+)?"
        of_numbers = [cells for cells in columns if cells.str.fullmatch(rf"{grouped}|[+-]?\d+([.,]\d+)?").all()]
        first = next((cell for cells in of_numbers for cell in cells[cells.str.fullmatch(grouped)].head(1)), None)
        if first is not None:
            base = replace(base, thousands=SEPARATORS[word])
            guesses["thousands"] = Guess(word, f"numbers such as {first}")
            columns = [cells.str.replace(rf"(?<=\d){mark}(?=\d{{3}})", "", regex=True) for cells in columns]
    cells = pd.concat(columns).head(200_000)
    cells = cells[cells.str.contains(r"\d")]
    if base.separator == "," and _all_grouped(cells, ","):
        why = "numbers such as 1,234: where commas part the columns, they are rarely decimal marks"
        doubt = (
            "" if cells.str.fullmatch(_SURELY_GROUPED).any() else _or_thousands(cells, "comma", ",", meant="thousands")
        )
        return replace(base, thousands=","), {"thousands": Guess("comma", why, doubt)}
    comma = cells.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+").sum()
    point = cells.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})*\.\d+|[+-]?\d+\.\d+").sum()
    if comma <= point:
        grouped = cells.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
        if not grouped.any():
            if base.separator == "," or not _all_grouped(cells, "."):
                return base, guesses
            guess = Guess("point", "numbers have a point", _or_thousands(cells, "point", "."))
            return base, {**guesses, "decimal": guess}
        doubt = (
            ""
            if cells.str.fullmatch(_SURELY_GROUPED).any()
            else "some numbers may have a decimal comma, and some a point"
        )
        guesses["thousands"] = Guess("comma", f"numbers such as {cells[grouped].iloc[0]}", doubt)
        return replace(base, thousands=","), guesses
    doubt = _or_thousands(cells, "comma", ",") if _all_grouped(cells, ",") else ""
    guesses["decimal"] = Guess("comma", f"{comma} numbers have a comma, {point} a point", doubt)
    base = replace(base, decimal=",")
    if cells.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?").any():
        base = replace(base, thousands=".")
        guesses["thousands"] = Guess("point", "numbers such as 1.234,5")
    return base, guesses


_SURELY_GROUPED = r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d+)?|[+-]?\d{1,3}(,\d{3})+\.\d+"


def _all_grouped(cells: pd.Series, mark: str) -> bool:
    """Whether all numbers with this mark could have it between thousands: three digits behind it, and no 0 before."""
    marked = cells[cells.str.fullmatch(rf"[+-]?\d+{re.escape(mark)}\d+")]
    return len(marked) > 0 and bool(marked.str.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}").all())


def _or_thousands(cells: pd.Series, word: str, mark: str, *, meant: str = "decimal") -> str:
    """The doubt about numbers whose mark, `word`, may be the decimal one or stand between thousands."""
    first = cells[cells.str.fullmatch(rf"[+-]?\d{{1,3}}{re.escape(mark)}\d{{3}}")].iloc[0]
    other = {"comma": "point", "point": "comma"}[word]
    if meant == "decimal":
        return f"numbers such as {first} may have it between thousands: decimal={other} thousands={word}"
    return f"numbers such as {first} may have it as the decimal mark: decimal={word}, and no thousands"

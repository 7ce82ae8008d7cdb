"""Text files with one row on each line: their encoding, their separator, their header, and the numbers of their lines.

Texts are read as they stand there; nothing is guessed from what a cell looks like but for the columns of numbers.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from ddrsa.data.table.encodings import find_encoding, opened
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError
from ddrsa.texts import count_of

# Of the first line; ordered by how surely it is a separator and no part of a name.
SNIFFED = ("\t", ";", "|", ",")
# What Excel takes from the first line of a file.
_SEPARATOR_LINE = re.compile('"?sep=(.)"?', re.IGNORECASE)
EXTRA = "behind the last column"
"""A column for a separator at the end of the rows."""


@dataclass(frozen=True)
class TextFormat:
    """How a text file is to be read. header_lines: lines before the first row. columns: their names."""

    encoding: str
    separator: str
    header_lines: int
    columns: tuple[str, ...]


def find_format(path: Path, options: TableOptions) -> TextFormat:
    """The encoding, separator and columns: those of `options`, or what the file shows, with a word in the log."""
    encoding = options.encoding or find_encoding(path)
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise DataError(
            f"dataset.encoding={encoding}: Python knows no such encoding; utf-8 or cp1252 are some"
        ) from error
    skipped = options.skip_lines
    first, second = _first_lines(path, encoding, skipped)
    marked = _SEPARATOR_LINE.fullmatch(first.strip())
    if marked is not None:
        skipped += 1
        first, second = _first_lines(path, encoding, skipped)
    if not first:
        behind = f" behind its first {count_of(skipped, 'line')}" if skipped else ""
        raise DataError(f"{path} is empty{behind}")
    separator = options.separator or (marked[1] if marked else _separator(first, second))
    with _text(path, encoding) as stream:
        reader = csv.reader(itertools.islice(stream, skipped, None), delimiter=separator, skipinitialspace=True)
        header = next(cells for cells in reader if any(cell.strip() for cell in cells) or len(cells) > 1)
        header_lines = skipped + reader.line_num
    if options.columns is not None:
        cells = len(header) - (not header[-1].strip())
        if len(options.columns) != cells:
            raise DataError(
                f"dataset.columns has {len(options.columns)} names, but the first row of {path} has {cells} cells"
            )
        return TextFormat(encoding, separator, skipped, tuple(options.columns))
    names = [name.strip().lstrip("\ufeff") for name in header]
    while len(names) > 1 and not names[-1]:
        names.pop()
    if all(_is_number(name) for name in names):
        raise DataError(
            f"{path}: the first line has numbers ({', '.join(names[:3])}, ...) where names are expected; "
            "dataset.columns=[...] names the columns of a file without such a line"
        )
    return TextFormat(encoding, separator, header_lines, tuple(names))


def read_text(path: Path, form: TextFormat, **how: Any) -> pd.DataFrame:
    """The rows of a text file by `pandas.read_csv` with the keys `how`.

    Raises DataError where a row has more cells than the header, or fewer.
    """
    names = [*form.columns, EXTRA]
    try:
        with warnings.catch_warnings():
            # It says that cells are lost, and not where.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = _parsed(path, form, names, how)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _refuse_long_rows(path, form)
        if isinstance(error, pd.errors.ParserError):
            raise
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            table = _parsed(path, form, names, how)
    last = len(form.columns)
    extra = table[last]
    table = table.drop(columns=last)
    if (extra.notna() & (extra.astype(str).str.strip() != "")).any():
        _refuse_long_rows(path, form)
    _refuse_short_rows(path, form, table)
    return table


def _parsed(path: Path, form: TextFormat, names: list[str], how: dict[str, Any]) -> pd.DataFrame:
    with _text(path, form.encoding) as stream:
        # pandas would count lines by the quotes in them, and what stands above a table need not have them in pairs.
        for _ in range(form.header_lines):
            stream.readline()
        table: pd.DataFrame = pd.read_csv(
            stream,
            sep=r"\s+" if form.separator == " " else form.separator,
            header=None,
            names=range(len(names)),
            skipinitialspace=form.separator not in " \t",
            index_col=False,
            low_memory=False,  # or a column has other types in other chunks
            keep_default_na=False,
            **how,
        )
    return table


def line_of_row(path: Path, form: TextFormat, row: int) -> int:
    """The number of the line, from 1, at which a row (from 0) begins."""
    before = 0
    for number, (line, _) in enumerate(_rows(path, form)):
        if number == row:
            return line
        before = line
    return before


def _rows(path: Path, form: TextFormat) -> Iterator[tuple[int, list[str]]]:
    """The line at which it begins and the cells of each row behind the header, as pandas counts rows."""
    with _text(path, form.encoding) as stream:
        rows = itertools.islice(stream, form.header_lines, None)
        reader = csv.reader(rows, delimiter=form.separator, skipinitialspace=form.separator != "\t")
        begin = 1
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield form.header_lines + begin, cells
            begin = reader.line_num + 1


def _refuse_long_rows(path: Path, form: TextFormat) -> None:
    for line, cells in _rows(path, form):
        if any(cell.strip() for cell in cells[len(form.columns) :]):
            raise DataError(f"{path}, line {line}: {len(cells)} cells, the header has {len(form.columns)}")


def _refuse_short_rows(path: Path, form: TextFormat, table: pd.DataFrame) -> None:
    """A row that ends early has no value in its last column, and so has many a whole row: those are looked at."""
    if len(form.columns) < 2:
        return
    last = table[len(form.columns) - 1]
    suspects = set((last.isna() | (last.astype(str) == "")).to_numpy().nonzero()[0].tolist())
    if not suspects:
        return
    for row, (line, cells) in enumerate(_rows(path, form)):
        if row in suspects and len(cells) < len(form.columns):
            raise DataError(f"{path}, line {line}: {len(cells)} cells, the header has {len(form.columns)}")


@contextmanager
def _text(path: Path, encoding: str) -> Iterator[IO[str]]:
    with opened(path) as stream, io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
        yield text


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _first_lines(path: Path, encoding: str, skipped: int) -> tuple[str, str]:
    """The first two lines that are not blank behind `skipped` others; empty where there is none."""
    with _text(path, encoding) as stream:
        lines = (line for line in itertools.islice(stream, skipped, None) if line.strip())
        return next(lines, ""), next(lines, "")


def _separator(header: str, row: str) -> str:
    """The separator of a header: of `SNIFFED` the one that parts the row behind it alike, and it into most names."""

    def cells(line: str, mark: str) -> int:
        return len(next(csv.reader([line], delimiter=mark)))

    parted = [mark for mark in SNIFFED if cells(header, mark) > 1]
    # A row may end with a separator of its own.
    try:
        alike = [mark for mark in parted if 0 <= cells(row, mark) - cells(header, mark) <= 1] if row else []
    except csv.Error:  # a cell of more than 128 kB
        alike = []
    if not parted:
        return " " if len(header.split()) > 1 else ","
    return max(alike or parted, key=lambda mark: cells(header, mark))

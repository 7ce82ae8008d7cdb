"""Text files with one row on each line: their encoding, their separator, their header, and the numbers of their lines.

Texts are read as they stand there; nothing is guessed from what a cell looks like but for the columns of numbers.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import logging
import lzma
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from charset_normalizer import from_bytes

from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError

log = logging.getLogger(__name__)

# Of the first line; ordered by how surely it is a separator and no part of a name.
SNIFFED = ("\t", ";", "|", ",")
SAMPLE = 1 << 20
# What Excel takes from the first line of a file.
_SEPARATOR_LINE = re.compile('"?sep=(.)"?', re.IGNORECASE)
EXTRA = "behind the last column"
"""A column for a separator at the end of the rows."""

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class TextFormat:
    """How a text file is to be read. header_lines: lines before the first row. columns: their names."""

    encoding: str
    separator: str
    header_lines: int
    columns: tuple[str, ...]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed by its ending."""
    ending = path.suffix.lower()
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise DataError(f"{path} has {len(members)} files in it, one is expected")
            with archive.open(members[0]) as stream:
                yield stream
        return
    if ending == ".zst":
        try:
            import zstandard
        except ImportError as error:
            raise DataError(f"{path} is packed with Zstandard, which needs: pip install zstandard") from error
        with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            yield stream
        return
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(ending, open)
    with opener(path, "rb") as stream:
        yield stream


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
        raise DataError(f"{path} is empty{f' behind its first {skipped} lines' if skipped else ''}")
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
    with opened(path) as stream:
        table: pd.DataFrame = pd.read_csv(
            stream,
            sep=r"\s+" if form.separator == " " else form.separator,
            encoding=form.encoding,
            header=None,
            names=range(len(names)),
            skiprows=form.header_lines,
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
        reader = csv.reader(stream, delimiter=form.separator, skipinitialspace=form.separator != "\t")
        begin = 1
        for cells in reader:
            if reader.line_num > form.header_lines and (len(cells) > 1 or (cells and cells[0].strip())):
                yield begin, cells
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


def find_encoding(path: Path) -> str:
    """That of the byte order mark, UTF-8 where the whole file is that, else the one that charset-normalizer finds."""
    with opened(path) as stream:
        sample = stream.read(SAMPLE)
        for mark, encoding in _BOMS.items():
            if sample.startswith(mark):
                return encoding
        if b"\0" not in sample:
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                decoder.decode(sample)
                while chunk := stream.read(SAMPLE):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                sample = _around_first_byte(path, sample)
            else:
                return "utf-8"
    encoding = _found(sample)
    shown = next((word for word in sample.decode(encoding, "replace").split() if not word.isascii()), "")
    log.warning("%s is read as %s, where it has %r; dataset.encoding names another", path, encoding, shown[:40])
    return encoding


def _around_first_byte(path: Path, sample: bytes) -> bytes:
    """`sample`, or where it is ASCII what lies around the first byte that is not."""
    if not sample.isascii():
        return sample
    with opened(path) as stream:
        while chunk := stream.read(SAMPLE):
            if not chunk.isascii():
                return chunk
    return sample


def _found(sample: bytes) -> str:
    """The encoding of a text that is not UTF-8.

    Letters with accents and degree signs stand alone among ASCII, and are of the encoding of Windows in the west; other
    scripts have many such bytes side by side.
    """
    high = np.frombuffer(sample, dtype=np.uint8) >= 0x80
    alone = high & ~np.append(False, high[:-1]) & ~np.append(high[1:], False)
    if b"\0" not in sample and alone.sum() > 0.7 * high.sum():
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            return "cp1252"
    best = from_bytes(sample).best()
    return "cp1252" if best is None else best.encoding


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

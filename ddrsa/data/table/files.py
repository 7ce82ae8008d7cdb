"""The files of `dataset=table`: found, and read into one table."""

from __future__ import annotations

import glob
import logging
import lzma
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.data.table.source import Part, Table
from ddrsa.data.table.text_files import TextFormat, find_format, line_of_row, read_text
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError
from ddrsa.extras import needed

log = logging.getLogger(__name__)

FILE_UNIT = "file"
"""The unit column where each file is one unit."""

MISSING = ("", "#N/A", "#NA", "#NV", "N/A", "NA", "<NA>", "NULL", "NaN", "None", "n/a", "nan", "-nan", "-NaN", "null")
"""What stands in a column of numbers where there is none. In a column of texts only an empty cell is missing."""

PARQUET = (".parquet", ".pq")
EXCEL = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def find_table_files(path: str, key: str = "path") -> list[Path]:
    """The files that `dataset.<key>` names, in the order of their names: one, or those that the pattern matches.

    Raises DataError where there is none.
    """
    expanded = Path(path).expanduser()
    if expanded.is_file():
        return [expanded]
    if expanded.is_dir():
        raise DataError(f"dataset.{key}={path} is a folder: allowed is a file, or a pattern such as '{path}/*.csv'")
    found = sorted(Path(name) for name in glob.glob(str(expanded), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
    files = [name for name in found if name.is_file()]
    if not files:
        raise DataError(f"dataset.{key}={path} matches no file (from {Path.cwd()})")
    return files


def all_files(options: TableOptions) -> list[Path]:
    """All files that are read, each kind in the order of their names."""
    files = find_table_files(options.path)
    if options.events_path is not None:
        files += find_table_files(options.events_path, "events_path")
    if options.attributes_path is not None:
        files += find_table_files(options.attributes_path, "attributes_path")
    return files


def read_files(files: list[Path], options: TableOptions, texts: Collection[str]) -> Table:
    """The rows of all files, one after the other; with a column `FILE_UNIT` where `unit_column` is null.

    texts: the columns that are read as the texts that they are; in the others, of numbers, `MISSING` is no value.
    Raises DataError where a file cannot be read, has no rows, or has other columns than the first.
    """
    frames: list[pd.DataFrame] = []
    parts: list[Part] = []
    start = 0
    for path in files:
        frame, part = _read_file(path, options, texts)
        if frame.empty:
            raise DataError(f"{path} has no rows")
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise DataError(f"{path} has the column {twice[0]} twice; dataset.columns gives names of your own")
        if frames and set(frame.columns) != set(frames[0].columns):
            odd = sorted(set(frame.columns) ^ set(frames[0].columns))
            raise DataError(f"{path} has other columns than {files[0]}: only one of them has {', '.join(odd)}")
        frames.append(frame)
        parts.append(Part(start, part))
        start += len(frame)
    if options.unit_column is None:
        names = [path.name.partition(".")[0] for path in files]
        if len(set(names)) < len(names):
            names = list(map(str, files))
        frames = [frame.assign(**{FILE_UNIT: name}) for name, frame in zip(names, frames, strict=True)]
        log.info("each of the %d files is one unit, with its name", len(files))
    columns = frames[0].columns
    # Integers of 64 bits with and without sign would become floats, and neighbours would fall together.
    same = {column: len({frame[column].dtype for frame in frames}) == 1 for column in columns}
    frames = [frame.astype({column: object for column in columns if not same[column]}) for frame in frames]
    return Table(pd.concat(frames, ignore_index=True), parts)


def _read_file(path: Path, options: TableOptions, texts: Collection[str]) -> tuple[pd.DataFrame, Any]:
    """The rows, and how the place of one is told."""
    try:
        with readable(path):
            if set(PARQUET) & set(path.suffixes):
                needed("pyarrow", f"{path}, a Parquet file,")
                return _columns_of_index(pd.read_parquet(path)), lambda row: f"{path}, row {row + 1}"
            if path.suffix.lower() in EXCEL:
                needed("python_calamine", f"{path}, a workbook,")
                before = options.skip_lines + (options.columns is None)
                return _read_excel(path, options), lambda row: f"{path}, row {row + before + 1}"
            form = find_format(path, options)
            how = _columns_to_read(form, options, texts)
            frame = read_text(path, form, **how)
            frame.columns = pd.Index(form.columns)
            return _named(frame, path), partial(_line, path, form)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(), lambda row: f"{path}, row {row + 1}"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns what opening and decoding a file raises into a DataError."""
    try:
        yield
    except pd.errors.EmptyDataError:
        raise
    # pyarrow's own errors are ValueErrors or OSErrors, as is a text in another encoding.
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, lzma.LZMAError, zlib.error) as error:
        hint = "; dataset.encoding names another encoding" if isinstance(error, UnicodeError) else ""
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}{hint}") from error


def _line(path: Path, form: TextFormat, row: int) -> str:
    return f"{path}, line {line_of_row(path, form, row)}"


def _columns_to_read(form: TextFormat, options: TableOptions, texts: Collection[str]) -> dict[str, Any]:
    plain = options.decimal == "." and options.thousands is None
    as_text = [n for n, name in enumerate(form.columns) if not plain or name in texts or not name]
    missing = [*MISSING, *options.missing_values]
    return {
        "dtype": dict.fromkeys([*as_text, len(form.columns)], str),
        "na_values": {n: missing for n in range(len(form.columns)) if n not in as_text},
    }


def _named(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns that have a name; those without hold nothing, or the number of the row."""
    unnamed = [n for n, name in enumerate(frame.columns) if not name]
    filled = [n for n in unnamed if (frame.iloc[:, n].notna() & (frame.iloc[:, n].astype(str) != "")).any()]
    if filled:
        log.warning("%s: column %d has no name and is left out", path, filled[0] + 1)
    return frame.iloc[:, [n for n in range(frame.shape[1]) if n not in unnamed]]


def _columns_of_index(frame: pd.DataFrame) -> pd.DataFrame:
    """An index with names is columns."""
    named = [name for name in frame.index.names if name is not None]
    if isinstance(frame.index, pd.RangeIndex) and named:
        log.warning("the index %s is the number of the row and is left out", named[0])
        named = []
    frame = frame.reset_index(level=named) if named else frame
    return frame.reset_index(drop=True).rename(columns=str)


def _read_excel(path: Path, options: TableOptions) -> pd.DataFrame:
    with pd.ExcelFile(path, engine="calamine") as book:
        sheets = list(map(str, book.sheet_names))
        sheet = options.sheet if options.sheet is not None else sheets[0]
        if sheet not in sheets:
            raise DataError(f"dataset.sheet={sheet}: {path} has {', '.join(sheets)}")
        if options.sheet is None and len(sheets) > 1:
            log.warning(
                "%s: of %d sheets the first, %s, is read; dataset.sheet names another", path, len(sheets), sheet
            )
        rows = pd.read_excel(book, sheet, header=None, dtype=object, keep_default_na=False, na_values=[""])
        rows = rows.iloc[options.skip_lines :]
        if rows.empty:
            return rows
    if options.columns is None:
        names, rows = ["" if name != name else str(name).strip() for name in rows.iloc[0]], rows.iloc[1:]
    else:
        names = options.columns
    if len(names) != rows.shape[1]:
        raise DataError(f"dataset.columns has {len(names)} names, but {path} has {rows.shape[1]} columns")
    rows.columns = pd.Index(names)
    return _named(rows.reset_index(drop=True), path).dropna(how="all").replace({np.nan: None})


def is_row_number(name: str) -> bool:
    """Whether pandas made the name of a column that has none: the number of the row, which grows to the event."""
    return re.fullmatch(r"Unnamed: \d+(_level_\d+)?|__index_level_\d+__|level_\d+", name) is not None

"""Rows of training_log.csv: one per epoch, each with a checksum by which a change of any digit is noticed."""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Iterable
from pathlib import Path

from ddrsa.rundir.files import read_bytes

FIELDS = (
    *("epoch", "train_loss", "validation_loss", "validation_nll", "best_validation_loss", "learning_rate", "seconds"),
)
CHECKSUM = "checksum"
COLUMNS = (*FIELDS, CHECKSUM)


def row_checksum(values: Iterable[object]) -> str:
    """CRC-32 of the values of a row as they stand in the file: 8 hexadecimal digits."""
    return f"{zlib.crc32(','.join(map(str, values)).encode()):08x}"


def read_rows(path: Path) -> tuple[list[dict[str, str]], list[int]]:
    """The whole rows by their fields, in the order of the file, and the numbers of the lines that are damaged.

    Of an epoch that stands there twice, it was done again, the later row is given. A file of an earlier version has no
    checksums, and may lack some of `FIELDS`; one that is missing has no rows. Raises ValueError, which names the file,
    where it cannot be read.
    """
    try:
        text = read_bytes(path).decode(errors="replace")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    lines = text.splitlines()
    head = lines[0].split(",") if lines else []
    # Earlier versions had fewer columns, and no checksum.
    fields = FIELDS if CHECKSUM in head or head[:1] != ["epoch"] else tuple(head)
    checked = fields is FIELDS
    rows: dict[str, dict[str, str]] = {}
    damaged: list[int] = []
    for number, line in enumerate(lines, start=1):
        if number == 1 and (line == ",".join(COLUMNS) or not checked):
            continue
        values = _split(line)
        if _is_as_written(values) if checked else _is_whole(values, fields):
            rows.pop(values[0], None)
            rows[values[0]] = dict(zip(fields, values, strict=False))
        else:
            damaged.append(number)
    return list(rows.values()), damaged


def _split(line: str) -> list[str]:
    # Nothing is quoted in what is written here; who changed it with another program may have quoted its numbers.
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line.replace("\0", "\ufffd")]), [])
    except csv.Error:
        return []


def _is_as_written(values: list[str]) -> bool:
    return len(values) == len(COLUMNS) and values[0].isdecimal() and values[-1] == row_checksum(values[:-1])


def _is_whole(values: list[str], fields: tuple[str, ...]) -> bool:
    try:
        numbers = all(math.isfinite(float(value)) for value in values)
    except ValueError:
        return False
    return numbers and len(values) == len(fields) and values[0].isdecimal()

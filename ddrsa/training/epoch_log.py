"""training_log.csv: a row per epoch, on disk as soon as the epoch has ended."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ddrsa.rundir.epoch_rows import COLUMNS, FIELDS, read_rows, row_checksum
from ddrsa.rundir.files import atomic_write, open_no_links

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochRecord:
    """One epoch. Losses are means per window; learning_rate is that of the epoch's last step; seconds, wall clock.

    validation_nll: negative log-likelihood, which can be compared between runs whose losses are weighted in other ways.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_nll: float
    best_validation_loss: float
    learning_rate: float
    seconds: float


class EpochLog:
    """Appends to `path`, keeping the rows up to `last_epoch` of an earlier attempt and dropping any later ones."""

    def __init__(self, path: Path, last_epoch: int) -> None:
        self.path = path
        kept = [row for row in _rows(path) if int(row["epoch"]) <= last_epoch] if last_epoch else []
        missing = set(range(1, last_epoch + 1)) - {int(row["epoch"]) for row in kept}
        if missing:
            shown = ", ".join(map(str, sorted(missing)))
            log.warning("%s: the row of epoch %s is damaged or missing, the curve has a gap there", path, shown)
        with atomic_write(path) as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(_with_checksum(row.get(field, "nan") for field in FIELDS) for row in kept)

    def append(self, record: EpochRecord) -> None:
        """Add a row; it is on disk then, as the checkpoint of its epoch is soon."""
        with open_no_links(self.path, "a", newline="") as stream:
            csv.writer(stream).writerow(_with_checksum(asdict(record).values()))
            stream.flush()
            os.fsync(stream.fileno())


def _with_checksum(values: Iterable[object]) -> list[object]:
    row = list(values)
    return [*row, row_checksum(row)]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return read_rows(path)[0]
    except ValueError as error:
        log.warning("%s", error)
        return []

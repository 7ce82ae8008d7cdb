"""training_log.csv: a row per epoch, on disk as soon as the epoch has ended."""

from __future__ import annotations

import csv
import logging
import math
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

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

    columns = tuple(field.name for field in fields(EpochRecord))

    def __init__(self, path: Path, last_epoch: int) -> None:
        self.path = path
        kept = [row for row in self._read() if int(row["epoch"]) <= last_epoch] if last_epoch else []
        missing = set(range(1, last_epoch + 1)) - {int(row["epoch"]) for row in kept}
        if missing:
            shown = ", ".join(map(str, sorted(missing)))
            log.warning("%s: the row of epoch %s is damaged or missing, the curve has a gap there", path, shown)
        with atomic_write(path) as stream:
            writer = csv.DictWriter(stream, self.columns)
            writer.writeheader()
            writer.writerows(kept)

    def append(self, record: EpochRecord) -> None:
        """Add a row; it is on disk then, as the checkpoint of its epoch is soon."""
        with open_no_links(self.path, "a", newline="") as stream:
            csv.DictWriter(stream, self.columns).writerow(asdict(record))
            stream.flush()
            os.fsync(stream.fileno())

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", errors="replace") as stream:
            lines = [line for line in stream if "\0" not in line]
        # A process that was killed may have left half a row; the same epoch twice, a repeated one.
        rows = {row["epoch"]: row for row in csv.DictReader(lines) if _is_whole(row)}
        return list(rows.values())


def _is_whole(row: dict[Any, Any]) -> bool:
    if set(row) != set(EpochLog.columns) or not str(row["epoch"]).isdecimal():
        return False
    try:
        return all(math.isfinite(float(value)) for value in row.values())
    except (TypeError, ValueError):
        return False

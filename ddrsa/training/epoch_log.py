"""training_log.csv: a row per epoch, on disk as soon as the epoch has ended."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ddrsa.rundir.files import atomic_write


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
        with atomic_write(path) as stream:
            writer = csv.DictWriter(stream, self.columns)
            writer.writeheader()
            writer.writerows(kept)

    def append(self, record: EpochRecord) -> None:
        """Add a row; it is on disk then, as the checkpoint of its epoch is soon."""
        with self.path.open("a", newline="") as stream:
            csv.DictWriter(stream, self.columns).writerow(asdict(record))
            stream.flush()
            os.fsync(stream.fileno())

    def _read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as stream:
            # A process that was killed may have left half a row.
            return [row for row in csv.DictReader(stream) if (row["epoch"] or "").isdigit() and row["seconds"]]

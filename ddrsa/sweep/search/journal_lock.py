"""Lock on a journal file of Optuna that ends with its holder."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages.journal import JournalFileBackend

from ddrsa.rundir.room import with_room
from ddrsa.sweep.search.compat_optuna import BaseJournalFileLock

log = logging.getLogger(__name__)


class JournalLock(BaseJournalFileLock):
    """A lock of the kernel on a file beside the journal.

    Optuna's own locks are files that stand for the lock by being there: what a killed process leaves behind stops all
    others for half a minute. A killed process may also leave half a line, after which Optuna could never read the
    journal again: it is cut off by the next who writes.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        # Not Optuna's name: its dashboard would wait for a file that is never deleted.
        self._lock = FileLock(journal.with_name(f".{journal.name}.flock"))

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        try:
            self._cut_off_half_a_line()
        except BaseException:
            self._lock.release()
            raise
        return True

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _cut_off_half_a_line(self) -> None:
        with self.journal.open("r+b") as stream:
            size = stream.seek(0, 2)
            if size == 0:
                return
            stream.seek(size - 1)
            if stream.read(1) == b"\n":
                return
            stream.seek(0)
            whole = stream.read().rfind(b"\n") + 1
            log.warning("%s ends with half a line, which is cut off: a process was killed at it", self.journal)
            stream.truncate(whole)


class PatientJournal(JournalFileBackend):
    """Optuna's journal file, which waits for room while the disk is full."""

    def __init__(self, journal: Path) -> None:
        self._journal, self._lines = journal, JournalLock(journal)
        super().__init__(str(journal), lock_obj=self._lines)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all of them, or none."""
        with_room(lambda: self._append(logs), self._journal.parent)

    def _append(self, logs: list[dict[str, Any]]) -> None:
        self._lines.acquire()
        try:
            size = self._journal.stat().st_size
            try:
                super().append_logs(logs)
            except OSError:
                os.truncate(self._journal, size)
                raise
        finally:
            self._lines.release()

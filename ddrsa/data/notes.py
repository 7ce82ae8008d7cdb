"""Notes of the readers: what they guessed, repaired and left out, as they log it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

READERS = "ddrsa.data"
"""The logger of the readers."""

log = logging.getLogger(f"{READERS}.notes")


class Note(NamedTuple):
    """A message, and its level as `logging` has it."""

    level: int
    message: str


@contextmanager
def collected_notes() -> Iterator[list[Note]]:
    """The notes of what is read within the block, which are logged as well."""
    notes: list[Note] = []
    handler = logging.Handler()
    handler.emit = lambda record: notes.append(Note(record.levelno, record.getMessage()))  # type: ignore[method-assign]
    readers = logging.getLogger(READERS)
    level = readers.level
    readers.addHandler(handler)
    readers.setLevel(logging.INFO)
    try:
        yield notes
    finally:
        readers.removeHandler(handler)
        readers.setLevel(level)


def tell(notes: Sequence[Note]) -> None:
    """Log notes of an earlier reading again."""
    for note in notes:
        log.log(note.level, "%s", note.message)


@contextmanager
def silent_readers() -> Iterator[None]:
    """Within the block the notes are collected and stored, but shown nowhere."""
    readers = logging.getLogger(READERS)
    nowhere, before = logging.NullHandler(), readers.propagate
    readers.addHandler(nowhere)
    readers.propagate = False
    try:
        yield
    finally:
        readers.propagate = before
        readers.removeHandler(nowhere)

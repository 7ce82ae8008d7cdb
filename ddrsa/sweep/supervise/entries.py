"""Entries of all_results.json, as compressed text: the launcher of thousands of runs keeps little of each."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddrsa.rundir.files import json_text
from ddrsa.rundir.states import State


class Entries:
    """The entry of each run directory, in the order in which they came."""

    def __init__(self) -> None:
        self._texts: dict[Path, bytes] = {}
        self._states: dict[Path, str] = {}

    def __contains__(self, directory: Path) -> bool:
        return directory in self._texts

    def __getitem__(self, directory: Path) -> dict[str, Any]:
        entry: dict[str, Any] = json.loads(zlib.decompress(self._texts[directory]))
        return entry

    def __setitem__(self, directory: Path, entry: dict[str, Any]) -> None:
        self._texts[directory] = zlib.compress(json_text(entry).encode(), 1)
        self._states[directory] = str(entry["state"])

    def remove(self, directory: Path) -> None:
        """Forget the entry of a directory, if it has one."""
        self._texts.pop(directory, None)
        self._states.pop(directory, None)

    def move_from(self, other: Entries, directory: Path) -> None:
        """Take the entry that another has of a directory."""
        self._texts[directory] = other._texts.pop(directory)
        self._states[directory] = other._states.pop(directory)

    def state(self, directory: Path) -> str | None:
        """The state in the entry of a directory; None where it has none."""
        return self._states.get(directory)

    def counts(self) -> dict[str, int]:
        """How many entries have each state."""
        return dict(Counter(self._states.values()))

    @property
    def all_done(self) -> bool:
        """Whether each has the result of its run."""
        return all(State(state).is_done for state in set(self._states.values()))

    def texts(self) -> Iterator[str]:
        """The entries, as `json_text` gives them."""
        return (zlib.decompress(text).decode() for text in self._texts.values())

"""Runs of experiment_manifest.json as compressed text: a search writes the file again for each trial."""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from ddrsa.rundir.files import fingerprint, json_text
from ddrsa.rundir.sweep_files import MANIFEST
from ddrsa.sweep.plan.planned_run import PlannedRun


class PlannedTexts:
    """What the manifest in `directory` has of each run, so that it is made and read once and not for each writing."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._texts: dict[Path, bytes] = {}
        self._others: dict[Path, tuple[Any, bytes]] = {}  # the identity of each, and its text
        self._written: tuple[int, int, int] | None = None

    def text(self, run: PlannedRun, described: dict[str, Any]) -> str:
        """Of a run of this plan; described: all of its entry but the config."""
        if run.directory in self._texts:
            return zlib.decompress(self._texts[run.directory]).decode()
        text = json_text({**described, "config": run.config})
        # The runs of a grid are written once, all together.
        if self._written is not None:
            self._texts[run.directory] = _compressed(text)
        return text

    def forget(self, directory: Path) -> None:
        """The run in a directory is planned anew, or elsewhere."""
        self._texts.pop(directory, None)

    def set_others(self, entries: list[dict[str, Any]]) -> None:
        """The entries of runs that are not in this plan."""
        self._others = {
            self.directory / entry["directory"]: (entry.get("identity"), _compressed(json_text(entry)))
            for entry in entries
        }

    def drop_planned(self, directories: Container[Path], identities: Container[str]) -> None:
        """Others that are planned here meanwhile are others no more."""
        self._others = {
            directory: (identity, text)
            for directory, (identity, text) in self._others.items()
            if directory not in directories and identity not in identities
        }

    @property
    def directories_of_others(self) -> Iterator[Path]:
        """Those of runs that are not in this plan."""
        return iter(self._others)

    def texts_of_others(self) -> Iterator[str]:
        """Their entries, as `json_text` gives them."""
        return (zlib.decompress(text).decode() for _, text in self._others.values())

    def written(self) -> None:
        """The manifest is now as this process has it."""
        self._written = self._fingerprint()

    def is_as_written(self) -> bool:
        """Whether nobody has changed the manifest since `written`."""
        return self._written is not None and self._written == self._fingerprint()

    def _fingerprint(self) -> tuple[int, int, int] | None:
        try:
            return fingerprint(self.directory / MANIFEST)
        except OSError:
            return None


def _compressed(text: str) -> bytes:
    return zlib.compress(text.encode(), 1)

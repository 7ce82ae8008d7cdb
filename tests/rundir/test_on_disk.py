"""What a power cut may not undo: the names of directories on the way to a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddrsa.rundir.files import note_placed, sync_directory


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The directories that are put on disk, from now on, relative to `tmp_path`."""
    paths: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        paths.append(os.path.relpath(Path(f"/proc/self/fd/{descriptor}").readlink(), tmp_path))

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr("ddrsa.rundir.files._placed", set())  # what tests before have left
    return paths


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_new_directory_is_put_on_disk_with_its_parents_once(tmp_path: Path, synced: list[str]) -> None:
    note_placed(tmp_path)
    (tmp_path / "sweep" / "run" / ".hydra").mkdir(parents=True)
    sync_directory(tmp_path / "sweep" / "run" / ".hydra")
    assert synced == ["sweep/run/.hydra", "sweep/run", "sweep", "."]
    synced.clear()
    sync_directory(tmp_path / "sweep" / "run")
    assert synced == ["sweep/run"]
    synced.clear()
    (tmp_path / "sweep" / "another").mkdir()
    sync_directory(tmp_path / "sweep" / "another")
    assert synced == ["sweep/another", "sweep"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_of_a_directory_that_nobody_knows_every_parent_is_put_on_disk(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "new").mkdir()
    sync_directory(tmp_path / "new")
    assert synced[:2] == ["new", "."]
    assert os.path.normpath(tmp_path / synced[-1]) == "/"

"""Runs of one script do not overwrite each other's files, and find their relative inputs all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddrsa.scripts import own_directory as module
from ddrsa.scripts.own_directory import own_directory


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A project beside its data, with what an earlier training has left."""
    work = tmp_path / "project" / "mnist"
    for name, text in {
        "config.txt": "lr=1",
        "model.pt": "old",
        "data/train/x.csv": "1",
        "runs/a/events": "old",
        ".git/HEAD": "main",
        "../data/y.csv": "2",
    }.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return work


def left(parent: Path) -> set[str]:
    return {path.relative_to(parent).as_posix() for path in parent.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_inputs_are_found_and_what_is_written_stays(shared: Path, tmp_path: Path) -> None:
    parent = tmp_path / "sweep" / "run" / "output"
    with own_directory(shared, parent) as (place, common):
        assert (place / "config.txt").read_text() == "lr=1"
        assert (place / "data/train/x.csv").read_text() == "1"
        assert (place / "../data/y.csv").read_text() == "2"
        assert (place / ".git/HEAD").read_text() == "main"
        (place / "model.pt").write_text("new!")
        (place / "runs/a/more").write_text("new")
        with (place / "runs/a/events").open("a") as stream:
            stream.write(" and new")
        (place / "fresh").mkdir()
    assert common.changed() == []
    assert left(parent) == {"mnist/model.pt", "mnist/runs/a/more", "mnist/runs/a/events"}
    assert (place / "fresh").is_dir()
    assert (shared / "model.pt").read_text() == "old"
    assert (shared / "runs/a/events").read_text() == "old"
    assert not (shared / "runs/a/more").exists()


def test_a_second_attempt_finds_what_the_first_has_left(shared: Path, tmp_path: Path) -> None:
    parent = tmp_path / "output"
    with own_directory(shared, parent) as (place, _):
        (place / "model.pt").write_text("epoch 3")
    # A kill leaves links and copies behind.
    context = own_directory(shared, parent)
    context.__enter__()
    with own_directory(shared, parent) as (place, _):
        assert (place / "model.pt").read_text() == "epoch 3"
    assert left(parent) == {"mnist/model.pt"}


def test_a_large_file_is_linked_and_its_change_is_seen(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COPIED_FILE", 3)
    (shared / "checkpoint").write_text("large")
    with own_directory(shared, tmp_path / "output") as (place, common):
        assert (place / "checkpoint").is_symlink()
        (place / "checkpoint").write_text("overwritten")
    assert common.changed() == [shared / "checkpoint"]
    assert left(tmp_path / "output") == set()


def test_folders_beyond_the_limit_are_shared_and_named(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    with own_directory(shared, tmp_path / "output") as (place, common):
        assert (place / "runs/a/events").read_text() == "old"
        assert shared / "runs" in common.folders
    assert left(tmp_path / "output") == set()


def test_the_sweep_itself_is_no_input_of_its_runs(shared: Path) -> None:
    with own_directory(shared, shared / "multirun" / "run" / "output") as (place, _):
        assert not (place / "multirun").exists()
        assert (place / "config.txt").exists()
    assert left(shared / "multirun") == set()

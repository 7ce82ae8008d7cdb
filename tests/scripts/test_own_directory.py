"""Runs of one script do not overwrite each other's files, and find their relative inputs all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddrsa.scripts.own_directory import Limits, own_directory


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


@pytest.mark.parametrize("limits", [Limits(file_mib=3 / 2**20), Limits(total_mib=3 / 2**20), Limits(file_mib=0)])
def test_a_large_file_is_linked_and_its_change_is_seen(shared: Path, tmp_path: Path, limits: Limits) -> None:
    (shared / "checkpoint").write_text("large")
    with own_directory(shared, tmp_path / "output", limits) as (place, common):
        assert (place / "checkpoint").is_symlink()
        (place / "checkpoint").write_text("overwritten")
    assert common.changed() == [shared / "checkpoint"]
    assert left(tmp_path / "output") == set()


def test_folders_beyond_the_limit_are_shared_and_named(shared: Path, tmp_path: Path) -> None:
    with own_directory(shared, tmp_path / "output", Limits(entries=3)) as (place, common):
        assert (place / "runs/a/events").read_text() == "old"
        assert shared / "runs" in common.folders
        (place / "runs/a/model.pt").write_text("mine?")
        # Looking behind links ends at the limit, too.
        assert common.unseen
    assert left(tmp_path / "output") == set()


def test_what_is_written_beside_the_working_directory_or_behind_a_link_is_named(shared: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep/model.pt").write_text("old")
    (shared / "out").symlink_to(elsewhere)
    with own_directory(shared, tmp_path / "output") as (place, common):
        assert common.changed() == []
        (place / "out/deep/model.pt").write_text("overwritten")
        (place / "../data/fresh.pt").write_text("beside")
    expected = {shared / "out/deep/model.pt", shared.parent / "data/fresh.pt"}
    assert set(common.changed()) == expected
    assert not common.unseen


@pytest.mark.parametrize("folder", ["test", "tests", ".checkpoints"])
def test_folders_that_are_not_searched_for_scripts_are_a_run_s_own_all_the_same(
    shared: Path, tmp_path: Path, folder: str
) -> None:
    (shared / folder).mkdir()
    (shared / folder / "model.pt").write_text("old")
    with own_directory(shared, tmp_path / "output") as (place, common):
        assert (place / folder / "model.pt").read_text() == "old"
        (place / folder / "model.pt").write_text("of this run")
    assert (shared / folder / "model.pt").read_text() == "old"
    assert left(tmp_path / "output") == {f"mnist/{folder}/model.pt"}
    assert common.changed() == []


def test_the_sweep_itself_is_no_input_of_its_runs(shared: Path) -> None:
    with own_directory(shared, shared / "multirun" / "run" / "output") as (place, _):
        assert not (place / "multirun").exists()
        assert (place / "config.txt").exists()
    assert left(shared / "multirun") == set()


def test_a_link_to_the_place_of_the_sweep_is_not_looked_behind(shared: Path) -> None:
    (shared.parent / "current").symlink_to(shared)
    output = shared / "multirun" / "run" / "output"
    with own_directory(shared, output) as (place, common):
        (place / "model.pt").write_text("new")
        (output.parent / "run.log").write_text("new")
    assert common.changed() == []

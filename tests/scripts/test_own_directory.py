"""Runs of one script do not overwrite each other's files, and find their relative inputs all the same."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
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
        assert shared / "runs" in common.linked
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
    for name in ("data/sweep/multirun.yaml", "data/sweep/run.log", "data/other/x.csv", "data/earlier/multirun.yaml"):
        (shared / name).parent.mkdir(exist_ok=True, parents=True)
        (shared / name).touch()
    with own_directory(shared, shared / "data" / "sweep" / "run" / "output") as (place, common):
        assert not (place / "data/sweep").exists()
        assert (place / "config.txt").exists()
        # What stands beside the sweep is.
        assert (place / "data/train/x.csv").read_text() == "1"
        assert (place / "data/other/x.csv").exists()
        assert (place / "data/earlier").is_symlink()
        (shared / "data/sweep/sweep.log").touch()
        (shared / "data/later").mkdir()
        (shared / "data/later/multirun.yaml").touch()
        (shared / "data/earlier/more.log").touch()
        assert common.changed() == []
    assert left(shared / "data" / "sweep" / "run") == set()


def test_the_folder_of_all_results_is_no_input(shared: Path) -> None:
    with own_directory(shared, shared / "data/out/als/lr=1", results=shared / "data/out") as (place, _):
        assert (place / "data/train/x.csv").read_text() == "1"
        assert not (place / "data/out").exists()


def test_a_link_to_the_place_of_the_sweep_is_not_looked_behind(shared: Path) -> None:
    (shared.parent / "current").symlink_to(shared)
    output = shared / "multirun" / "run" / "output"
    with own_directory(shared, output) as (place, common):
        (place / "model.pt").write_text("new")
        (output.parent / "run.log").write_text("new")
    assert common.changed() == []


def test_files_beside_the_working_directory_that_are_overwritten_are_named(shared: Path, tmp_path: Path) -> None:
    (shared.parent / "results.json").write_text("{}")
    with own_directory(shared, tmp_path / "output") as (place, common):
        (place / "../results.json").write_text('{"loss": 1}')
        assert common.changed() == [shared.parent / "results.json"]


def test_a_run_of_a_script_may_sweep_scripts_itself(shared: Path, tmp_path: Path) -> None:
    with own_directory(shared, tmp_path / "run" / "working_dir") as (place, _):
        inner = place / "sweep" / "run" / "working_dir"
        (place / "sweep").mkdir()
        (place / "sweep" / "multirun.yaml").touch()
        with own_directory(place, inner) as (innermost, common):
            assert (innermost / "config.txt").read_text() == "lr=1"
            assert (innermost / "../data/y.csv").read_text() == "2"
            (innermost / "model.pt").write_text("inner")
            assert common.changed() == []
    assert left(tmp_path / "run") == {
        "working_dir/mnist/sweep/multirun.yaml",
        "working_dir/mnist/sweep/run/working_dir/mnist/model.pt",
    }


@pytest.mark.parametrize("name", ["config.txt", "fresh.pt", "data/train/fresh.pt"])
def test_what_is_written_by_a_whole_path_is_named(shared: Path, tmp_path: Path, name: str) -> None:
    """As by a script that goes to its own folder: cd "$(dirname "$0")"."""
    with own_directory(shared, tmp_path / "output") as (_, common):
        (shared / name).write_text("shared")
        (shared / "__pycache__").mkdir()
    assert common.changed() == [shared / name]


def test_a_folder_with_too_many_files_is_linked_and_only_what_is_new_in_it_is_named(
    shared: Path, tmp_path: Path
) -> None:
    (shared / "many").mkdir()
    for number in range(60):
        (shared / f"many/{number}.txt").touch()
    with own_directory(shared, tmp_path / "output", Limits(entries=30)) as (place, common):
        assert (place / "many").is_symlink()
        assert common.linked == [shared / "many"]
        (place / "many/new.txt").touch()
        assert common.changed() == [shared / "many/new.txt"]
        assert common.unseen
        assert not (place / "data/train").is_symlink()


def test_of_too_many_files_on_top_the_rest_are_links(shared: Path, tmp_path: Path) -> None:
    for number in range(60):
        (shared / f"{number}.txt").touch()
    with own_directory(shared, tmp_path / "output", Limits(entries=30)) as (place, _):
        assert sum(path.is_file() for path in place.iterdir()) == 62
        assert (place / "59.txt").is_symlink()
    assert left(tmp_path / "output") == set()


def test_pipes_sockets_and_links_to_nothing_stand_there_too(shared: Path, tmp_path: Path) -> None:
    os.mkfifo(shared / "pipe")
    (shared / "later").symlink_to("nowhere")
    (shared / "circle").symlink_to("circle")
    listener = socket.socket(socket.AF_UNIX)
    working_directory = Path.cwd()
    try:
        os.chdir(shared)  # the name of a socket may not be long
        listener.bind("socket")
    finally:
        os.chdir(working_directory)
        listener.close()
    with own_directory(shared, tmp_path / "output") as (place, common):
        assert (place / "pipe").is_fifo()
        assert (place / "socket").is_socket()
        assert (place / "circle").is_symlink()
        (place / "later").write_text("new")
        assert common.changed() == [shared / "later"]
    assert left(tmp_path / "output") == set()


def test_what_may_not_be_read_fails_in_the_run_as_it_does_there(shared: Path, tmp_path: Path) -> None:
    (shared / "key").write_text("secret")
    for name in ("key", "data/train"):
        (shared / name).chmod(0)
    tmp_path.chmod(0o777)
    me = os.geteuid()
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o755) if folder.stat().st_uid == me else None
    try:
        if me == 0:
            os.seteuid(65534)  # root may read everything
        with own_directory(shared, tmp_path / "output") as (place, _):
            assert (place / "config.txt").read_text() == "lr=1"
            for path, read in ((place / "key", Path.read_text), (place / "data/train", os.listdir)):
                with pytest.raises(PermissionError):
                    read(path)
    finally:
        os.seteuid(me)
        (shared / "data/train").chmod(0o755)
    assert left(tmp_path / "output") == set()


def test_an_attempt_after_a_killed_one_finds_the_inputs_as_they_are_now(shared: Path, tmp_path: Path) -> None:
    parent = tmp_path / "output"
    (shared / "gone.txt").write_text("then")
    killed = own_directory(shared, parent, Limits(file_mib=4 / 2**20))
    place, _ = killed.__enter__()
    (place / "model.pt").write_text("epoch 3")
    (shared / "config.txt").write_text("lr=0.01")
    (shared / "data/train/x.csv").write_text("longer")
    (shared / "gone.txt").unlink()
    with own_directory(shared, parent) as (place, _):
        assert (place / "config.txt").read_text() == "lr=0.01"
        assert (place / "data/train/x.csv").read_text() == "longer"
        assert not (place / "gone.txt").exists()
        assert (place / "model.pt").read_text() == "epoch 3"
    assert left(parent) == {"mnist/model.pt"}


def test_an_attempt_that_was_killed_while_its_inputs_were_copied_leaves_no_half_of_one(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "output"

    def half(_source: Path, target: Path) -> None:
        Path(target).write_text("l")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copy2", half)
        with pytest.raises(KeyboardInterrupt):
            own_directory(shared, parent).__enter__()
    with own_directory(shared, parent) as (place, _):
        assert (place / "config.txt").read_text() == "lr=1"


def test_what_the_command_prints_into_is_not_told(shared: Path, tmp_path: Path) -> None:
    """python train.py > sweep.out: the process of the run is a child of that."""
    program = """
        import sys
        from pathlib import Path
        from ddrsa.scripts.own_directory import own_directory

        with own_directory(Path(sys.argv[1]), Path(sys.argv[2])) as (place, common):
            print("a line", file=open("/proc/%s/fd/1" % sys.argv[3], "a"))
            Path(sys.argv[1], "model.pt").write_text("of all")
            Path(sys.argv[2], "changed").write_text(repr([path.name for path in common.changed()]))
        """
    child = [sys.executable, "-c", textwrap.dedent(program), str(shared), str(tmp_path / "output")]
    code = (
        f"import os, subprocess; subprocess.run([*{child!r}, str(os.getpid())], stdout=subprocess.DEVNULL, check=True)"
    )
    with (shared / "sweep.out").open("w") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (shared / "sweep.out").read_text() == "a line\n"
    assert (tmp_path / "output" / "changed").read_text() == "['model.pt']"

"""Directories that others may write: links that they put there, and runs that they go on with."""

from __future__ import annotations

import os
import stat
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddrsa.errors import ConfigError
from ddrsa.rundir.claims import Claim
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import atomic_write, follow_modes, make_directory, open_no_links, refuse_links
from ddrsa.rundir.locked_files import LockedFile, lock_directory, read_held


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A file outside of the directory, which nothing may change."""
    path = tmp_path / "target"
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o775)
    return path


def test_a_lock_is_no_link(shared: Path, target: Path) -> None:
    (shared / ".lock").symlink_to(target)
    with pytest.raises(OSError, match=r"\.lock"):
        LockedFile.create(shared / ".lock", {})
    with pytest.raises(OSError, match=r"\.lock"):
        Claim.take(shared)
    with pytest.raises(OSError, match=r"\.lock"):
        read_held(shared / ".lock")


def test_a_log_is_no_link(shared: Path, target: Path) -> None:
    (shared / "sweep.log").symlink_to(target)
    with pytest.raises(OSError, match=r"sweep\.log"):
        open_no_links(shared / "sweep.log", "a")
    with pytest.raises(OSError, match="it is a link"):
        refuse_links(shared, ["sweep.log"])


def test_a_file_that_is_replaced_takes_the_place_of_a_link(shared: Path, target: Path) -> None:
    (shared / "multirun.yaml").symlink_to(target)
    with atomic_write(shared / "multirun.yaml") as stream:
        stream.write("ours")
    assert not (shared / "multirun.yaml").is_symlink()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_directory_of_a_run_is_no_link_at_any_level(shared: Path, tmp_path: Path, level: int) -> None:
    (tmp_path / "elsewhere").mkdir()
    parts = ["logs", "lstm", "s1"]
    link = shared.joinpath(*parts[: level + 1])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is a link, which is not followed"):
        make_directory(shared.joinpath(*parts), shared)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_sweep_itself_may_be_a_link_of_the_users_own(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(shared)
    make_directory(tmp_path / "mine" / "logs" / "s1", tmp_path / "mine")
    assert (shared / "logs" / "s1").is_dir()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_follows_the_modes_of_its_directory(shared: Path, tmp_path: Path) -> None:
    make_directory(shared / "sweep" / "s1", shared / "sweep")
    claim = Claim.take(shared / "sweep" / "s1")
    assert claim is not None
    claim.release()
    assert [mode(shared / "sweep" / name) for name in ("", "s1", "s1/.lock")] == [0o775, 0o775, 0o664]
    os.umask(0o022)
    (tmp_path / "mine").mkdir()
    make_directory(tmp_path / "mine" / "s1", tmp_path / "mine")
    assert mode(tmp_path / "mine" / "s1") == 0o755


def test_a_directory_for_everyones_own_files_is_not_shared(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    follow_modes(tmp_path / "x")
    (tmp_path / "x").mkdir()
    assert mode(tmp_path / "x") == 0o755


def as_user(user: int, group: int, run: Path) -> int:
    """Claim the run, begin it and write its log, in a process of another user; returns its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
        os.umask(0o022)
        make_directory(run, run.parent)
        claim = Claim.take(run)
        assert claim is not None
        RunDirectory(run).begin("abc")
        with open_no_links(run / "run.log", "a") as log:
            log.write("x")
        claim.release()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_the_second_user_of_a_group_goes_on_with_what_the_first_has_left() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        shared = Path(directory) / "group"
        shared.mkdir()
        os.chown(shared, 0, 4242)
        shared.chmod(0o2775)
        assert [as_user(user, 4242, shared / "s1") for user in (3001, 3002)] == [0, 0]
        assert (shared / "s1" / "run.log").read_text() == "xx"
        assert RunDirectory(shared / "s1").status_or_empty()["attempt"] == 2


@pytest.mark.parametrize("bits", [0o770, 0o777, 0o707])
def test_leases_that_others_may_write_are_refused(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)
    with pytest.raises(ConfigError, match="others may write it: chmod go-w"):
        lock_directory(tmp_path)

"""The folder in which a launcher of Slurm and its jobs hand each other Python objects."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ddrsa.errors import ConfigError
from ddrsa.sweep.cluster.job_folder import make_job_folder

KEY = "hydra.launcher.submitit_folder"


def test_each_launcher_has_a_new_folder_of_its_own(tmp_path: Path) -> None:
    planted = tmp_path / ".submitit" / "7" / "7_0_result.pkl"
    planted.parent.mkdir(parents=True)
    planted.touch()
    folders = [make_job_folder(tmp_path / ".submitit" / "%j", KEY) for _ in range(2)]
    assert folders[0] != folders[1]
    for folder in folders:
        assert folder.name == "%j"
        assert folder.parent.parent == tmp_path / ".submitit"
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert list(folder.parent.iterdir()) == []


def test_a_folder_without_the_number_of_a_job(tmp_path: Path) -> None:
    folder = make_job_folder(tmp_path / "files", KEY)
    assert folder.parent == tmp_path / "files"


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_where_others_can_write_nothing_is_put(tmp_path: Path, mode: int) -> None:
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    sweep.chmod(mode)
    (sweep / "inner").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match=rf"{KEY}=.*others can write in {sweep}, and what lies in that folder is"):
        make_job_folder(sweep / "inner" / "%j", KEY)
    assert list((sweep / "inner").iterdir()) == []


def test_beneath_a_sticky_directory_of_everyone(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert make_job_folder(tmp_path / "own" / "%j", KEY).parent.parent == tmp_path / "own"


def test_the_modes_of_a_shared_sweep_are_not_taken_over(tmp_path: Path) -> None:
    umask = os.umask(0o002)
    try:
        folder = make_job_folder(tmp_path / ".submitit" / "%j", KEY)
        assert os.umask(0o002) == 0o002
    finally:
        os.umask(umask)
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder.parent, folder.parent.parent)} == {0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_directory_of_somebody_else(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(ConfigError, match="others can write"):
        make_job_folder(tmp_path / "%j", KEY)

"""A journal with damaged lines."""

from __future__ import annotations

import socket
from pathlib import Path

import optuna
import pytest
from optuna.samplers import RandomSampler

from ddrsa.rundir.locked_files import LockedFile
from ddrsa.sweep.__main__ import main
from ddrsa.sweep.search.study import StudyAddress, find_study, make_sampler, open_study
from ddrsa.sweep.search.trials import Trials

RANDOM = {"_target_": "optuna.samplers.RandomSampler", "seed": 7}


def searched(directory: Path, count: int) -> StudyAddress:
    address = StudyAddress(None, "study", directory, directory)
    study = open_study(address, ["minimize"], RandomSampler(seed=1), optuna.pruners.NopPruner())
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=count)
    return address


@pytest.mark.parametrize(
    "damage", [b"\x00\x01{}\n", b'{"op_code": 99, "worker_id": "x"}\n', b'{"op_code": 4}\n', b"[]\n"]
)
def test_damaged_lines_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: bytes) -> None:
    address = searched(tmp_path, 4)
    study = find_study(address)
    assert study is not None
    before = study.trials
    file = tmp_path / "study.journal"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:5], damage, *lines[5:]]))
    damaged = file.read_bytes()
    assert main(["mend", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "line 6 is left out" in output
    assert f"kept: {len(lines)} of {len(lines) + 1} lines" in output
    assert file.read_bytes() == b"".join(lines)
    assert (tmp_path / "study.journal.damaged-1").read_bytes() == damaged
    mended = find_study(address)
    assert mended is not None
    assert [trial.values for trial in mended.trials] == [trial.values for trial in before]
    assert main(["mend", str(file)]) == 0
    assert "nothing is changed" in capsys.readouterr().out


def test_not_while_a_search_is_under_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(tmp_path, 1)
    (tmp_path / ".searches").mkdir()
    file = LockedFile.create(tmp_path / ".searches" / "host-1", {})
    assert file is not None
    assert main(["mend", str(tmp_path)]) == 2
    assert "a search is under way (host-1)" in capsys.readouterr().err
    file.release()
    assert main(["mend", str(tmp_path / "nowhere")]) == 2


def test_a_seeded_search_killed_between_asking_and_drawing_repeats_no_draw(tmp_path: Path) -> None:
    def drawn(directory: Path, killed_at: int | None) -> list[float]:
        directory.mkdir()
        address = StudyAddress(None, "study", directory, directory)
        for start in range(2):
            study = open_study(address, ["minimize"], make_sampler(RANDOM, 0), optuna.pruners.NopPruner())
            trials = Trials(study, 6, directory, lambda before: make_sampler(RANDOM, before))
            trials.recover()
            while (trial := trials.ask()) is not None:
                if start == 0 and trial.number == killed_at:
                    gone = {"hostname": socket.gethostname(), "pid": 1, "file": str(directory / "gone")}
                    trial.set_user_attr("search", gone)
                    break
                trials.tell(trial, [trial.suggest_int("x", 0, 9999)])
            # As after a kill: nothing is given back, and the lock goes with the process.
            assert trials._lock is not None
            trials._lock.release()
        return [trial.params["x"] for trial in study.trials]

    whole = drawn(tmp_path / "whole", None)
    assert len(set(whole)) == 6
    assert drawn(tmp_path / "killed", 2) == whole

"""Searches that are read from a directory which somebody else has written."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import joblib
import optuna
import pytest
import yaml
from optuna.exceptions import StorageInternalError

from ddrsa.errors import ConfigError, UsageError
from ddrsa.rundir.files import write_json
from ddrsa.sweep.__main__ import main
from ddrsa.sweep.search.saved import read_search
from ddrsa.sweep.search.study import StudyAddress, find_study


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def write_search(directory: Path, **sweeper: Any) -> None:
    content = {"hydra": {"runtime": {"cwd": str(directory)}, "sweeper": {"n_trials": 3, "objective": None, **sweeper}}}
    (directory / "multirun.yaml").write_text(yaml.safe_dump(content))


def test_neither_best_nor_watch_make_the_object_that_a_directory_describes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joblib.dump(Payload(tmp_path / "executed"), tmp_path / "x.pkl")
    write_search(tmp_path, storage={"_target_": "joblib.load", "filename": str(tmp_path / "x.pkl")})
    (tmp_path / "study.journal").touch()
    (tmp_path / ".searches").mkdir()
    run = tmp_path / "x1"
    run.mkdir()
    write_json(run / "status.json", {"state": "completed", "attempt": 1})
    entry = {"directory": "x1", "overrides": ["x=1"], "config": {}}
    write_json(tmp_path / "experiment_manifest.json", {"runs": [entry], "hostname": "elsewhere"})
    assert main(["best", str(tmp_path)]) == 2
    assert "storage describes an object" in capsys.readouterr().err
    os.utime(run / "status.json", (1e9, 1e9))
    assert main(["watch", str(tmp_path)]) == 0
    assert "storage describes an object" in capsys.readouterr().err
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "storage",
    [
        "sqlite:///${oc.env:HOME}/x.db",
        "mysql://u@there/db?local_infile=1",
        "evil+driver://there/db",
        ["a"],
        {"_target_": "a.b"},
    ],
)
def test_a_storage_is_a_plain_url_or_path_unless_it_is_typed(tmp_path: Path, storage: Any) -> None:
    write_search(tmp_path, storage=storage)
    with pytest.raises(UsageError, match=r"hydra.sweeper.storage.*give it: best DIR --storage URL"):
        read_search(tmp_path)
    assert read_search(tmp_path, "sqlite:///x.db").address.storage == "sqlite:///x.db"


def test_no_resolver_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    write_search(tmp_path, study_name="${oc.env:SECRET}", objective="${oc.env:SECRET}")
    search = read_search(tmp_path)
    assert "s3cret" not in repr(search)


@pytest.mark.parametrize("change", [{"objective": 3}, {"objective": [1]}, {"study_name": []}])
def test_a_value_of_another_kind_is_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    write_search(tmp_path, **change)
    with pytest.raises(UsageError, match=r"multirun.yaml.*expected"):
        read_search(tmp_path)


def test_a_study_that_is_looked_at_is_not_written(tmp_path: Path) -> None:
    database, other = tmp_path / "x.db", tmp_path / "places.db"
    optuna.create_study(study_name="s", storage=f"sqlite:///{database}").enqueue_trial({"x": 1})
    before = database.read_bytes()
    address = StudyAddress(f"sqlite:///{database}", "s", tmp_path, tmp_path)
    study = find_study(address)
    assert study is not None
    assert len(study.trials) == 1
    assert database.read_bytes() == before
    with pytest.raises(StorageInternalError):
        study.enqueue_trial({"x": 2})
    # Another program's database gets no tables.
    with sqlite3.connect(other) as connection:
        connection.execute("create table places (x)")
    with pytest.raises(ConfigError, match="cannot be opened"):
        find_study(StudyAddress(f"sqlite:///{other}", "s", tmp_path, tmp_path))
    with sqlite3.connect(other) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("places",)]


@pytest.mark.parametrize("content", ['{"op_code": 99}\n', '{"op_code": 0}\n', "[]\n", "\x00\n1\n", '"x"\n', "[" * 9999])
def test_a_journal_that_is_none_is_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "study.journal"
    file.write_text(content + '{"op_code": 0, "worker_id": "x", "study_name": "s", "directions": [1]}\n')
    with pytest.raises(ConfigError, match=r"study.journal.*cannot be opened.*mend"):
        find_study(StudyAddress(None, "s", tmp_path, tmp_path))


def test_a_named_pipe_in_the_place_of_a_journal_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "study.journal")
    with pytest.raises(ConfigError, match="no regular file"):
        find_study(StudyAddress(None, "s", tmp_path, tmp_path))

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.files import atomic_write, read_json, write_json


def test_block_that_raises_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"value": 1})

    def write_half() -> None:
        with atomic_write(path) as stream:
            stream.write('{"value"')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert read_json(path) == {"schema_version": 1, "value": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_killed_writer_never_shows_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    code = (
        "import sys; from ddrsa.rundir.directory import write_json\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        f"    write_json({str(path)!r}, {{'n': n, 'list': [n] * 5000}})\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline
        seen: set[int] = set()
        while len(seen) < 20:
            content = read_json(path)
            assert content is not None
            assert content["list"] == [content["n"]] * 5000
            seen.add(content["n"])
            assert time.monotonic() < deadline
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    content = read_json(path)
    assert content is not None
    assert content["list"] == [content["n"]] * 5000


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    write_json(tmp_path / "m.json", {"a": float("nan"), "b": [{"c": float("inf")}]})
    content = json.loads((tmp_path / "m.json").read_text())
    assert {**content, "checksum": ""} == {"schema_version": 1, "a": None, "b": [{"c": None}], "checksum": ""}


@pytest.mark.parametrize("text", ["", '{"a": ', "[1]", '{"a": 1}', '{"schema_version": 99}'])
def test_json_that_cannot_be_read_says_where(tmp_path: Path, text: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=str(path)):
        read_json(path)


def test_life_of_a_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.read_status() is None
    run.begin("abc", device="cpu")
    run.update(epoch=3)
    run.end("failed", "ValueError: no")
    status = run.read_status()
    assert status is not None
    assert {k: status[k] for k in ("run_id", "state", "attempt", "epoch", "pid", "error", "device")} == {
        "run_id": "abc",
        "state": "failed",
        "attempt": 1,
        "epoch": 3,
        "pid": os.getpid(),
        "error": "ValueError: no",
        "device": "cpu",
    }
    assert status["started_at"] <= status["ended_at"]
    run.begin("abc")
    assert run.status_or_empty()["attempt"] == 2
    with pytest.raises(ValueError, match="state 'done'"):
        run.end("done")


def test_damaged_status_does_not_keep_a_run_from_starting(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.status.write_text('{"attempt": 2, "sta')
    run.begin("abc")
    assert run.status_or_empty()["attempt"] == 1


def test_find_runs(tmp_path: Path) -> None:
    for name in ("b/x", "a"):
        (tmp_path / "logs" / name / ".hydra").mkdir(parents=True)
        (tmp_path / "logs" / name / ".hydra" / "config.yaml").touch()
    (tmp_path / "logs" / "no_run").mkdir()
    assert [run.path for run in find_runs(tmp_path)] == [tmp_path / "logs" / "a", tmp_path / "logs" / "b" / "x"]


def test_runs_are_found_in_the_order_of_paths_not_of_texts(tmp_path: Path) -> None:
    names = ["a/b", "a b", "a", "a-1", "a.b/c", "a/b-1"]
    for name in names:
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra" / "config.yaml").touch()
    assert [run.path for run in find_runs(tmp_path)] == sorted(tmp_path / name for name in names)

"""Files of a sweep whose structure is wrong: one line names file and key."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_bytes, read_json, read_text, write_json
from ddrsa.rundir.manifest import owners_by_manifest, read_manifest, read_results
from ddrsa.rundir.structure import Fields, ListOf, MapTo, check_structure
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS
from ddrsa.rundir.yaml_files import read_yaml

RUN = {"directory": "x1", "overrides": ["x=1"], "config": {"x": 1}}


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        ({"a": True}, Fields({"a": int}), "f: a is True, a whole number is expected"),
        ({"a": 1}, Fields({"a": float}), None),
        ({"a": {"b": [1, "x"]}}, Fields({"a": Fields({"b": ListOf(int)})}), "f: a.b[1] is 'x', a whole number is"),
        ([1], Fields({}), "f: holds a list, a mapping is expected"),
        ({}, Fields({"a!": str}), "f has no key a"),
        ({"a": {"b": 1}}, Fields({"a": MapTo(str)}), "f: a.b is 1, a text is expected"),
        ({1: 2}, MapTo(int), "f: a key is 1, a text is expected"),
        ({"a": None}, Fields({"a": (str, None)}), None),
        ({"a": 2}, Fields({"a": (str, None)}), "f: a is 2, a text or null is expected"),
        ({"a": "x" * 100}, Fields({"a": int}), "f: a is 'xxxxxxx"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(content: Any, form: Any, message: str | None) -> None:
    if message is None:
        check_structure(content, form, "f")
        return
    with pytest.raises(ValueError, match=re.escape(message)):
        check_structure(content, form, "f")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"runs": None}, "runs is null"),
        ({"runs": [1]}, r"runs\[0\] is 1"),
        ({"runs": [{}]}, r"no key runs\[0\].directory"),
        ({"runs": [{**RUN, "directory": 3}]}, r"runs\[0\].directory is 3"),
        ({"runs": [{**RUN, "overrides": "x=1"}]}, r"runs\[0\].overrides is 'x=1'"),
        ({"runs": [RUN, {**RUN, "overrides": [["x"]]}]}, r"runs\[1\].overrides\[0\]"),
        ({"runs": [{**RUN, "config": []}]}, r"runs\[0\].config"),
        ({"runs": [RUN], "earlier_runs": {"a": 1}}, "earlier_runs"),
        ({"runs": [RUN], "presentation": []}, "presentation"),
        ({"runs": [RUN], "presentation": {"columns": [1]}}, "presentation.columns"),
        ({"runs": [RUN], "command": "train.py"}, "command"),
        ({"runs": [RUN], "pid": "x"}, "pid"),
        ({"runs": [RUN], "created_at": 5}, "created_at"),
    ],
)
def test_a_manifest(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    write_json(tmp_path / MANIFEST, {"created_at": "2026-11-21T10:00:00+00:00", **change})
    with pytest.raises(ValueError, match=rf"{MANIFEST}.*{key}"):
        read_manifest(tmp_path)
    assert owners_by_manifest(tmp_path) == {}


@pytest.mark.parametrize("runs", [None, [1], [{}], [{"directory": "x"}], [{"directory": "x", "state": []}], {"a": 1}])
def test_results(tmp_path: Path, runs: Any) -> None:
    write_json(tmp_path / RESULTS, {"counts": {}, "runs": runs})
    with pytest.raises(ValueError, match=f"{RESULTS}.*runs"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "change", [{"attempt": "x"}, {"attempt": None}, {"epoch": []}, {"pid": {}}, {"error": 3}, {"run_id": 7}]
)
def test_a_status(tmp_path: Path, change: dict[str, Any]) -> None:
    run = RunDirectory(tmp_path)
    write_json(run.status, {"state": "failed", "attempt": 1, **change})
    with pytest.raises(ValueError, match=rf"status.json: {next(iter(change))} is"):
        run.read_status()
    run.begin("abc")
    assert (run.read_status() or {})["attempt"] == 1


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.mkdir(), "no regular file|directory"),
        (os.mkfifo, "no regular file"),
        (link, "it is a link, which is not followed"),
        (lambda path: path.write_bytes(b"\xff\xfe{}"), "UTF-8"),
        (lambda path: path.write_text("[" * 200_000), "nested too deeply|recursion"),
        (lambda path: path.write_text("[]"), "an object is expected"),
        (lambda path: path.write_text('{"schema_version": 99}'), "schema_version 99"),
    ],
)
def test_what_is_no_file_of_ours_is_one_line_and_nobody_waits_for_it(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    path = tmp_path / "status.json"
    make(path)
    with pytest.raises(ValueError, match=f"status.json.*({why})"):
        read_json(path)
    assert RunDirectory(tmp_path).status_or_empty() == {}


def test_a_name_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: File name too long"):
        read_json(tmp_path / ("x" * 300) / "status.json")


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(json.dumps("x" * 100))
    with pytest.raises(ValueError, match="more than 0 MiB"):
        read_text(path, most=50)


def test_a_yaml_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    levels = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    levels += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(levels))
    with pytest.raises(ValueError, match="refers to itself too often"):
        read_yaml(path)
    path.write_text("\n".join(levels[:3]))
    assert len(read_yaml(path)["a2"]) == 10


def test_a_small_file_takes_little_memory_to_read(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(b"1" * 1000)
    tracemalloc.start()
    try:
        assert read_bytes(path) == b"1" * 1000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_is_read_to_its_end_whatever_its_size_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(b"first")
    fstat = os.fstat

    def grows(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        with path.open("ab") as stream:
            stream.write(b", second" * 1000)
        return found

    monkeypatch.setattr(os, "fstat", grows)
    assert read_bytes(path) == b"first" + b", second" * 1000
    with pytest.raises(ValueError, match="has more than 0 MiB"):
        read_bytes(path, most=10_000)

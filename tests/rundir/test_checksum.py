"""Changes of what was written, by a bit or by hand."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json, write_json
from ddrsa.rundir.states import State

METRICS: dict[str, Any] = {"run_id": "abc", "rul_mae": 12.34567890123, "none": math.nan, "oti": [{"cost": 8}]}


def test_each_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "test_metrics.json"
    write_json(path, METRICS)
    expected = read_json(path)
    assert expected is not None
    assert (expected["rul_mae"], expected["none"], "checksum" in expected) == (12.34567890123, None, False)
    whole = path.read_bytes()
    generator = random.Random(2)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            found = read_json(path)
        except ValueError as error:
            refused += str(path) in str(error)
        else:
            assert found is not None
            # The key of the checksum itself may have become another, which is then one more value.
            assert {key: found.get(key) for key in expected} == expected
    assert refused > 300


def completed(path: Path) -> RunDirectory:
    run = RunDirectory(path)
    run.begin("abc")
    run.write_test_metrics(METRICS)
    run.end(State.COMPLETED, return_value=1.5)
    return run


def test_a_result_that_is_damaged_or_gone_is_none(tmp_path: Path) -> None:
    run = completed(tmp_path)
    status = run.status_or_empty()
    assert run.has_its_result(status)
    text = run.test_metrics.read_text()
    for damaged in ("", "{", text.replace("12.3", "12.4"), json.dumps({"schema_version": 1, "run_id": "abc"})):
        run.test_metrics.write_text(damaged)
        assert not run.has_its_result(status)
    run.test_metrics.unlink()
    assert not run.has_its_result(status)
    # Written again by a command, after the run has ended.
    run.write_test_metrics({**METRICS, "rul_mae": 3.0})
    assert run.has_its_result(status)


def test_a_task_need_not_write_metrics(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.begin("abc")
    run.end(State.COMPLETED, return_value=1.5)
    assert run.has_its_result(run.status_or_empty())


def test_the_returned_value_in_a_status_is_protected_too(tmp_path: Path) -> None:
    run = completed(tmp_path)
    run.status.write_text(run.status.read_text().replace("1.5", "1.4"))
    with pytest.raises(ValueError, match=r"status.json is damaged or was changed by hand"):
        run.read_status()


def test_another_run_is_never_begun_where_one_lies(tmp_path: Path) -> None:
    run = completed(tmp_path)
    before = run.status.read_bytes()
    with pytest.raises(Exception, match="holds run abc, and this config is run def: choose another directory"):
        run.begin("def")
    assert run.status.read_bytes() == before

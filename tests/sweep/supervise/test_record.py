"""Several launchers that write the files of one sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attempts_in_memory import planned

from ddrsa.rundir.files import json_text, read_json
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.states import State
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.record import SweepRecord

DONE = Outcome(State.COMPLETED)


def results(directory: Path) -> dict[str, Any]:
    return read_json(directory / "all_results.json") or {}


@pytest.mark.parametrize("last", [0, 1, 2])
def test_what_three_launchers_write_in_turn_is_all_there_whoever_ends_last(tmp_path: Path, last: int) -> None:
    runs = [planned(tmp_path, number) for number in range(6)]
    records = [SweepRecord(tmp_path) for _ in range(3)]
    mine = [runs[:2], runs[2:4], runs[4:]]
    for record, own in zip(records, mine, strict=True):
        record.plan(own)
    for step in range(2):
        for record, own in zip(records, mine, strict=True):
            record.result(own[step], DONE)
            record.write(now_or_never=True)
    # One that has only looked at what others do writes once more.
    records[last]._changed = True
    records[last].write(now_or_never=True)
    assert results(tmp_path)["counts"] == {"completed": 6}


def test_between_reading_and_writing_no_other_launcher_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = SweepRecord(tmp_path), SweepRecord(tmp_path)
    runs = [planned(tmp_path, number) for number in range(2)]
    first.plan(runs[:1])
    second.plan(runs[1:])
    monkeypatch.setattr("ddrsa.sweep.supervise.record.LOCK_SECONDS", 0.1)
    entered: list[bool] = []

    def take_over() -> None:
        entered.append(second._lock.is_locked)
        with second._alone():
            entered.append(second._lock.is_locked)

    monkeypatch.setattr(first, "_take_over_others", take_over)
    first.result(runs[0], DONE)
    first.write(now_or_never=True)
    assert entered == [False, False]


def test_a_search_reads_the_manifest_and_makes_the_config_of_a_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    made: list[int] = []

    def counted_read(directory: Path) -> dict[str, Any] | None:
        read.append(directory)
        return read_manifest(directory)

    def counted_text(content: dict[str, Any]) -> str:
        if "config" in content and "state" not in content:
            made.append(content["number"])
        return json_text(content)

    monkeypatch.setattr("ddrsa.sweep.supervise.record.read_manifest", counted_read)
    monkeypatch.setattr("ddrsa.sweep.supervise.planned_texts.json_text", counted_text)
    record = SweepRecord(tmp_path)
    for number in range(20):
        record.plan([planned(tmp_path, number)])
    assert len(read) == 1
    assert len(made) <= 21  # the first once more, when it is seen that others follow

    # What another launcher has planned meanwhile stays, until it is planned here as well.
    other = SweepRecord(tmp_path)
    other.plan([planned(tmp_path, number) for number in (30, 31)])
    record.plan([planned(tmp_path, 20)])
    record.plan([planned(tmp_path, 31)])
    manifest = read_json(tmp_path / "experiment_manifest.json") or {}
    assert [run["number"] for run in manifest["runs"]] == [*range(21), 31]
    assert [run["number"] for run in manifest["earlier_runs"]] == [30]


def test_a_run_that_moves_has_one_entry(tmp_path: Path) -> None:
    record = SweepRecord(tmp_path)
    record.plan([planned(tmp_path, 0)])
    moved = planned(tmp_path / "elsewhere", 0)
    record.moved(moved)
    record.result(moved, DONE)
    record.write(now_or_never=True)
    (entry,) = results(tmp_path)["runs"]
    assert (entry["directory"], entry["state"]) == ("elsewhere/x0", "completed")
    manifest = read_json(tmp_path / "experiment_manifest.json") or {}
    assert [run["directory"] for run in manifest["runs"]] == ["elsewhere/x0"]


def test_each_run_that_a_search_plans_leaves_the_beginning_of_the_sweep_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(f"2026-11-21T10:00:0{second}+00:00" for second in range(10))
    monkeypatch.setattr("ddrsa.sweep.supervise.record.now", lambda: next(times))
    record = SweepRecord(tmp_path)
    began = []
    for number in range(3):
        record.plan([planned(tmp_path, number)])
        began.append((read_json(tmp_path / "experiment_manifest.json") or {})["created_at"])
    assert began == ["2026-11-21T10:00:00+00:00"] * 3

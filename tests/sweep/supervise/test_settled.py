"""Runs that need no attempt, as a sweep that is started again finds them by their own files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attempts_in_memory import AttemptsInMemory, planned

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json, write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.process.attempt import Report
from ddrsa.sweep.supervise.events import Observers, Outcome, SweepObserver
from ddrsa.sweep.supervise.record import SweepRecord
from ddrsa.sweep.supervise.session import SweepSession
from ddrsa.sweep.supervise.supervisor import Supervisor

METRICS = {
    "loss": 0.5,
    "curve": [1.0, 2.0],
    "none": None,
    "validation": {"nll": 2.5, "curve": [3.0], "policies": {"oti": {"miss": 0.1}}},
    "comparison": {"dataset": "a", "levels": [1, 2]},
}


def end_run(run: PlannedRun, metrics: dict[str, Any] | None = None, **fields: Any) -> RunDirectory:
    directory = RunDirectory(run.directory)
    directory.path.mkdir(parents=True, exist_ok=True)
    directory.begin(run.identity)
    directory.write_test_metrics({**METRICS, "number": run.number, **(metrics or {})})
    directory.end(State.COMPLETED, return_value=run.number, **fields)
    return directory


def swept(root: Path, runs: list[PlannedRun], **shown: Any) -> tuple[dict[int, Outcome], AttemptsInMemory]:
    """The outcomes of a sweep of the runs, each attempt of which ends well, and the server that did those."""
    server = AttemptsInMemory()
    record = SweepRecord(root, Presentation(**shown))
    observers = Observers([record])
    supervisor = Supervisor(server, observers, n_jobs=len(runs), root=root)
    session = SweepSession(supervisor, record, observers, len(runs), None)
    session.submit(runs)
    started = {spec.identity for spec in server.specs.values()}
    for number, spec in server.specs.items():
        end_run(replace(next(run for run in runs if run.identity == spec.identity), directory=spec.directory))
        server.reports[number] = Report(State.COMPLETED, value="anew")
    outcomes = {run.number: outcome for run, outcome in iter(session.wait, None)}
    record.write(now_or_never=True)
    session.end()
    assert started == {run.identity for run in runs if outcomes[run.number].attempts}
    return outcomes, server


def entries(root: Path) -> dict[int, dict[str, Any]]:
    return {entry["number"]: entry for entry in (read_json(root / "all_results.json") or {})["runs"]}


def remove_status(run: PlannedRun) -> None:
    RunDirectory(run.directory).status.unlink()


def damage_status(run: PlannedRun) -> None:
    file = RunDirectory(run.directory).status
    file.write_text(file.read_text().replace('"attempt": 1', '"attempt": 7'))


def fail(run: PlannedRun) -> None:
    RunDirectory(run.directory).end(State.FAILED, "it broke")


def remove_metrics(run: PlannedRun) -> None:
    RunDirectory(run.directory).test_metrics.unlink()


def damage_metrics(run: PlannedRun) -> None:
    """A digit, with the length, the time and the inode as they were."""
    file = RunDirectory(run.directory).test_metrics
    before = file.stat()
    text = file.read_text()
    assert text.count('"loss": 0.5') == 1
    with file.open("r+") as stream:
        stream.write(text.replace('"loss": 0.5', '"loss": 0.4'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def put_another_there(run: PlannedRun) -> None:
    file = RunDirectory(run.directory).status
    write_json(file, {**(read_json(file) or {}), "run_id": "another"})


@pytest.mark.parametrize(
    "change", [remove_status, damage_status, fail, remove_metrics, damage_metrics, put_another_there]
)
def test_a_run_that_is_not_done_by_its_own_files_is_done_again(
    tmp_path: Path, change: Callable[[PlannedRun], None]
) -> None:
    runs = [planned(tmp_path, number) for number in range(4)]
    swept(tmp_path, runs)
    outcomes, server = swept(tmp_path, runs)
    assert not server.specs
    change(runs[2])
    outcomes, server = swept(tmp_path, runs)
    assert [outcomes[number].attempts for number in range(4)] == [0, 0, 1, 0]
    assert [spec.identity for spec in server.specs.values()] == ["run2"]


def test_results_that_somebody_has_planted_make_no_run_done(tmp_path: Path) -> None:
    runs = [planned(tmp_path, number) for number in range(3)]
    swept(tmp_path, runs[:1])
    known = entries(tmp_path)[0]
    others = [
        {**known, "number": n, "directory": f"x{n}", "identity": f"run{n}", "overrides": [f"x={n}"]} for n in (1, 2)
    ]
    write_json(tmp_path / "all_results.json", {"counts": {"completed": 3}, "runs": [known, *others]})
    outcomes, server = swept(tmp_path, runs)
    assert [outcomes[number].attempts for number in range(3)] == [0, 1, 1]
    assert len(server.specs) == 2
    assert [entries(tmp_path)[number]["metrics"]["number"] for number in range(3)] == [0, 1, 2]


def test_the_metrics_of_an_earlier_end_are_not_taken_for_those_of_a_later(tmp_path: Path) -> None:
    run = planned(tmp_path)
    swept(tmp_path, [run])
    end_run(run, {"loss": 0.25}, ended_at="2026-01-01T00:00:00+00:00")
    swept(tmp_path, [run])
    assert entries(tmp_path)[0]["metrics"]["loss"] == 0.25
    assert entries(tmp_path)[0]["ended_at"] == "2026-01-01T00:00:00+00:00"


def test_metrics_that_were_written_anew_are_read_anew(tmp_path: Path) -> None:
    run = planned(tmp_path)
    swept(tmp_path, [run])
    RunDirectory(run.directory).write_test_metrics({**METRICS, "loss": 0.125})
    outcomes, _ = swept(tmp_path, [run])
    assert outcomes[0].attempts == 0
    assert entries(tmp_path)[0]["metrics"]["loss"] == 0.125


def test_what_nothing_has_changed_about_is_recorded_as_it_was(tmp_path: Path) -> None:
    runs = [planned(tmp_path, number) for number in range(3)]
    swept(tmp_path, runs)
    first = entries(tmp_path)
    swept(tmp_path, runs)
    assert entries(tmp_path) == first
    swept(tmp_path, [planned(tmp_path, 2)])  # the same run, and two that are not in this plan
    assert entries(tmp_path) == first


def test_single_values_are_recorded_and_what_the_runs_are_compared_by(tmp_path: Path) -> None:
    swept(tmp_path, [planned(tmp_path)], comparable_by="comparison", rank_by={"validation.nll": "NLL"})
    values = {"schema_version": 1, "loss": 0.5, "none": None, "number": 0, "validation": {"nll": 2.5}}
    assert entries(tmp_path)[0]["metrics"] == {**values, "comparison": METRICS["comparison"]}


def test_what_ranks_the_runs_is_recorded_however_deep_it_stands(tmp_path: Path) -> None:
    swept(tmp_path, [planned(tmp_path)], rank_by={"validation.policies.oti.miss": "misses"})
    assert entries(tmp_path)[0]["metrics"]["validation"] == METRICS["validation"]


class Told(SweepObserver):
    """Notes what it hears of runs before they start."""

    def __init__(self) -> None:
        self.queued_runs: dict[int, int] = {}
        self.ended_runs: list[int] = []

    def queued(self, run: PlannedRun, attempts: int) -> None:
        self.queued_runs[run.number] = attempts

    def attempt_ended(self, run: PlannedRun, state: State, reason: str | None) -> None:  # noqa: ARG002
        self.ended_runs.append(run.number)


def test_runs_that_are_done_are_told_before_any_other_ends(tmp_path: Path) -> None:
    runs = [planned(tmp_path, number) for number in range(4)]
    for number in (1, 3):
        end_run(runs[number])
    RunDirectory(runs[2].directory).path.mkdir()
    RunDirectory(runs[2].directory).begin("run2")
    RunDirectory(runs[2].directory).end(State.FAILED, "it broke")
    told = Told()
    supervisor = Supervisor(AttemptsInMemory(), told, n_jobs=1)
    supervisor.submit(runs)
    assert (told.queued_runs, told.ended_runs) == ({0: 0, 2: 1}, [1, 3])

"""The mirror of a sweep: each thing is told once, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tracked import Remembering, TrackedSweep, tell

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.tracking.ledger import BusyError, opened


@pytest.fixture
def sweep(tmp_path: Path) -> TrackedSweep:
    return TrackedSweep(tmp_path / "2026" / "sweep")


@pytest.fixture
def tracker() -> Remembering:
    return Remembering()


def test_epochs_are_told_as_they_come_and_each_once(sweep: TrackedSweep, tracker: Remembering) -> None:
    run = sweep.begin(0, epochs=1)
    tell(tracker, sweep.directory)
    sweep.train(run, 2)
    tell(tracker, sweep.directory)
    sweep.complete(run)
    for _ in range(2):
        tell(tracker, sweep.directory, ended=True)
    entry = tracker.entry("seed=0")
    losses = {step: tracker.values[entry, "epoch/train_loss", step] for step in (1, 2, 3)}
    assert losses == {1: 1.0, 2: 0.5, 3: pytest.approx(1 / 3)}
    assert set(tracker.told.values()) == {1}
    assert tracker.results[entry] == {"test/rul_mae": 10.5, "validation/nll": 1.25}
    assert tracker.states[entry] == [State.RUNNING, State.COMPLETED]
    assert tracker.states[tracker.entry("2026/sweep")] == [State.RUNNING, State.COMPLETED]
    assert tracker.entries[entry].parent == tracker.entry("2026/sweep")
    assert tracker.entries[entry].params["seed"] == 0
    assert sorted(tracker.kept[entry]) == ["hydra/config.yaml", "test_metrics.json", "training_log.csv"]


def test_what_was_missed_while_the_server_was_away_is_told_later(sweep: TrackedSweep, tracker: Remembering) -> None:
    first = sweep.begin(0, epochs=1)
    tell(tracker, sweep.directory)
    sweep.complete(first)
    sweep.begin(1, epochs=2)
    tracker.away = True
    with pytest.raises(ConnectionError):
        tell(tracker, sweep.directory)
    tracker.away = False
    tell(tracker, sweep.directory)
    assert {step for entry, name, step in tracker.told if name == "epoch/train_loss" and "seed=0" in entry} == {1, 2, 3}
    assert {step for entry, name, step in tracker.told if name == "epoch/train_loss" and "seed=1" in entry} == {1, 2}
    assert set(tracker.told.values()) == {1}


def test_a_lost_ledger_makes_no_second_entry_and_the_same_points(sweep: TrackedSweep, tracker: Remembering) -> None:
    sweep.begin(0, epochs=2)
    tell(tracker, sweep.directory)
    # The process was killed before it could write what it had told.
    ledger = sweep.directory / ".tracking" / "remembering.json"
    with opened(sweep.directory, tracker.name, tracker.place) as found:
        found.runs.clear()
        found.write()
    tell(tracker, sweep.directory)
    assert ledger.exists()
    assert len(tracker.entries) == 2
    assert all(len(times) == 1 for times in tracker.times.values()), "a tracker knows a point again by its time"


def test_a_run_that_failed_and_goes_on_is_one_entry(sweep: TrackedSweep, tracker: Remembering) -> None:
    run = sweep.begin(0, epochs=1)
    run.end(State.FAILED, "ValueError: no")
    tell(tracker, sweep.directory, ended=True)
    sweep.begin(0, epochs=2)
    tell(tracker, sweep.directory)
    sweep.complete(run)
    tell(tracker, sweep.directory, ended=True)
    entry = tracker.entry("seed=0")
    assert tracker.states[entry] == [State.FAILED, State.RUNNING, State.COMPLETED]
    assert tracker.states[tracker.entry("2026/sweep")] == [State.FAILED, State.RUNNING, State.COMPLETED]
    assert set(tracker.told.values()) == {1}


def test_a_run_that_began_anew_with_other_data_is_another_entry(sweep: TrackedSweep, tracker: Remembering) -> None:
    run = sweep.begin(0, epochs=2)
    tell(tracker, sweep.directory)
    sweep.train(run, 2, loss=7.0)
    tell(tracker, sweep.directory)
    (first, second) = [entry for entry, described in tracker.entries.items() if described.name == "seed=0"]
    assert tracker.states[first][-1] is State.KILLED
    assert tracker.values[second, "epoch/train_loss", 2] == 3.5


@pytest.mark.parametrize("state", [State.PRUNED, State.TIMED_OUT, State.KILLED, State.INTERRUPTED])
def test_states(sweep: TrackedSweep, tracker: Remembering, state: State) -> None:
    sweep.begin(0, epochs=1).end(state, "why")
    tell(tracker, sweep.directory, ended=True)
    assert tracker.states[tracker.entry("seed=0")] == [state]
    whole = {State.PRUNED: State.COMPLETED, State.INTERRUPTED: State.INTERRUPTED}.get(state, State.FAILED)
    assert tracker.states[tracker.entry("2026/sweep")] == [whole]


def test_a_foreign_task_under_a_launcher_that_says_nothing(sweep: TrackedSweep, tracker: Remembering) -> None:
    run = RunDirectory(sweep.directory / "3")
    run.config.parent.mkdir(parents=True)
    OmegaConf.save({"lr": 0.1, "epoch": 5}, run.config)
    OmegaConf.save(["lr=0.1"], run.overrides)
    log = run.path / "csv_logs" / "metrics.csv"
    log.parent.mkdir()
    log.write_text("epoch,step,loss,acc\n0,10,2.5,\n0,10,,0.5\n1,20,1.5,0.75\n2,30,0.")
    tell(tracker, sweep.directory)
    entry = tracker.entry("lr=0.1")
    assert tracker.values[entry, "epoch/loss", 0] == 2.5
    assert tracker.values[entry, "epoch/acc", 0] == 0.5
    assert tracker.values[entry, "epoch/loss", 1] == 1.5
    assert (entry, "epoch/loss", 2) not in tracker.values, "the row was being written"
    write_json(run.path / ".hydra" / "job.json", {"state": "completed", "return_value": 4.5})
    (run.path / "result.json").write_text('{"accuracy": 0.75}')
    tell(tracker, sweep.directory, ended=True)
    assert tracker.states[entry] == [State.RUNNING, State.COMPLETED]
    assert tracker.results[entry] == {"result/return_value": 4.5, "result/accuracy": 0.75}


def test_a_job_of_which_nothing_says_how_it_ended_is_killed(sweep: TrackedSweep, tracker: Remembering) -> None:
    run = RunDirectory(sweep.directory / "0")
    run.config.parent.mkdir(parents=True)
    OmegaConf.save({"lr": 0.1}, run.config)
    tell(tracker, sweep.directory)
    tell(tracker, sweep.directory, ended=True)
    assert tracker.states[tracker.entry("0")] == [State.RUNNING, State.KILLED]


def test_a_single_run_has_no_parent(tmp_path: Path, tracker: Remembering) -> None:
    sweep = TrackedSweep(tmp_path)
    run = sweep.begin(0)
    sweep.complete(run)
    tell(tracker, run.path, ended=True)
    (described,) = tracker.entries.values()
    assert described.parent is None
    assert not described.is_sweep


def test_two_processes_do_not_tell_the_same_tracker(sweep: TrackedSweep, tracker: Remembering) -> None:
    sweep.begin(0)
    with opened(sweep.directory, tracker.name, tracker.place), pytest.raises(BusyError):
        tell(tracker, sweep.directory)


def test_files_of_somebody_else_are_not_followed_out_of_the_run(sweep: TrackedSweep, tracker: Remembering) -> None:
    run = sweep.begin(0)
    secret = sweep.directory.parent / "secret.csv"
    secret.write_text("epoch,password\n1,12345\n")
    run.training_log.unlink()
    (run.path / "metrics.csv").symlink_to(secret)
    (run.path / "plots").mkdir()
    (run.path / "plots" / "stolen.png").symlink_to(secret)
    run.end(State.FAILED, "no")
    tell(tracker, sweep.directory, ended=True)
    assert not tracker.values
    assert not any("stolen" in name for names in tracker.kept.values() for name in names)

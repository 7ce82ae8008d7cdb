"""Sweeps, searches and races with a time limit: in memory with a clock of the test's, and with real processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from attempts_in_memory import AttemptsInMemory, planned
from supervised import Sweeps

from ddrsa.rundir.asked import ask_to_end
from ddrsa.rundir.states import State
from ddrsa.sweep.process.attempt import Report
from ddrsa.sweep.supervise.events import SweepObserver
from ddrsa.sweep.supervise.supervisor import Supervisor
from ddrsa.sweep.supervise.timed import Timed
from ddrsa.sweep.time_limit import TimeLimit


class Outlook(SweepObserver):
    def __init__(self) -> None:
        self.told: list[str] = []

    def outlook(self, text: str) -> None:
        self.told.append(text)


class Limited:
    """A supervisor whose time the test sets."""

    def __init__(self, directory: Path, *, search: bool = False, retries: int = 0, taken: float | None = None) -> None:
        self.left = 1000.0
        self.server, self.observer = AttemptsInMemory(), Outlook()
        limit = TimeLimit("the deadline 18:00", lambda: self.left)
        timed = Timed(limit, lambda _: "kind", lambda _: taken)
        self.supervisor = Supervisor(
            self.server, self.observer, n_jobs=1, search=search, retries=retries, timed=timed, root=directory
        )

    def outcomes(self) -> dict[int, tuple[State, str | None]]:
        return {run.number: (outcome.state, outcome.reason) for run, outcome in iter(self.supervisor.wait, None)}


def test_what_has_not_started_by_then_is_left_and_said(tmp_path: Path) -> None:
    limited = Limited(tmp_path)
    limited.supervisor.submit([planned(tmp_path, number) for number in range(5)])
    limited.server.reports = {1: Report(State.COMPLETED)}
    ended = limited.supervisor.wait()
    assert ended is not None
    assert (ended[0].number, ended[1].state) == (0, State.COMPLETED)
    limited.server.reports = {2: Report(State.COMPLETED)}
    assert limited.supervisor.wait() is not None
    limited.left = 0.0
    outcomes = limited.outcomes()
    assert outcomes.pop(2) == (State.INTERRUPTED, "the deadline 18:00 came before it had ended")
    assert outcomes == dict.fromkeys((3, 4), (State.PENDING, "not started before the deadline 18:00"))
    assert limited.supervisor.out_of_time == "the deadline 18:00"
    assert limited.server.claimed == []


def test_enough_time_changes_nothing(tmp_path: Path) -> None:
    limited = Limited(tmp_path)
    limited.supervisor.submit([planned(tmp_path, 0)])
    limited.server.reports = {1: Report(State.COMPLETED)}
    assert limited.outcomes() == {0: (State.COMPLETED, None)}
    assert limited.supervisor.out_of_time is None
    assert limited.observer.told
    assert all(
        text.startswith("the deadline 18:00: by the durations so far all ends at ") for text in limited.observer.told
    )


def test_a_run_without_a_word_is_ended_at_the_limit(tmp_path: Path) -> None:
    limited = Limited(tmp_path)
    limited.supervisor.submit([planned(tmp_path, 0)])
    limited.left = 0.0
    assert limited.outcomes() == {0: (State.INTERRUPTED, "the deadline 18:00 came before it had ended")}
    assert limited.server.killed == [1]
    assert limited.supervisor.out_of_time == "the deadline 18:00"


def test_a_failed_attempt_for_which_there_is_no_second_stays_failed(tmp_path: Path) -> None:
    limited = Limited(tmp_path, retries=1)
    limited.supervisor.submit([planned(tmp_path, 0)])
    limited.server.reports = {1: Report(State.FAILED, "it is broken")}
    limited.left = 0.0
    reason = "it is broken (no time for another attempt: the deadline 18:00)"
    assert limited.outcomes() == {0: (State.FAILED, reason)}


def test_a_search_stops_asking_when_the_next_trial_would_not_be_done(tmp_path: Path) -> None:
    limited = Limited(tmp_path, search=True)
    limited.supervisor.submit([planned(tmp_path, 0)])
    time.sleep(0.3)  # so long takes a run
    limited.server.reports = {1: Report(State.COMPLETED)}
    ended = limited.supervisor.wait()
    assert ended is not None
    assert ended[1].state is State.COMPLETED
    limited.left = 0.2
    limited.supervisor.submit([planned(tmp_path, 1)])
    assert limited.supervisor.stopping == "the deadline 18:00: what is left would not be done in time"
    ((state, reason),) = limited.outcomes().values()
    assert state is State.PENDING
    assert reason is not None
    assert reason.startswith("not started: it takes about 0 s, and 0 s are left until the deadline 18:00")


def test_a_run_that_is_asked_ends_with_what_it_has_and_the_same_command_goes_on(sweeps: Sweeps) -> None:
    sweeps.do({0: "asked"})
    process = sweeps.start("x=0", "count=150", "seconds=0.02")
    deadline = time.monotonic() + 60
    while not (status := sweeps.path("x0").status_or_empty()).get("ends_when_asked") or not status["epoch"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    ask_to_end(sweeps.path("x0").path, 1, "the deadline 18:00")
    code, output = sweeps.finish(process)
    assert code == 1  # this sweep has no deadline: it did not want that
    status = sweeps.status("x0")
    done = status["epoch"]
    assert 0 < done < 150
    reason = f"ended early, after epoch {done} of 150: the deadline 18:00"
    assert (status["state"], status["error"]) == ("interrupted", reason), output
    assert "return_value" not in status
    # The wish was for the first attempt.
    code, output = sweeps.run("x=0", "count=150", "seconds=0.02")
    assert code == 0, output
    assert sweeps.status("x0")["state"] == "completed"
    assert sweeps.epochs("x0") == list(range(1, 151))


@pytest.mark.parametrize("option", ["deadline=25:00", "budget=-1h", "budget=6"])
def test_what_is_no_time_is_refused_before_anything_is_written(sweeps: Sweeps, option: str) -> None:
    code, output = sweeps.run("x=0,1", f"hydra.launcher.{option}")
    assert code == 2
    assert f"hydra.launcher.{option}: " in output
    assert not (sweeps.directory / "sweep").exists()


@pytest.mark.slow
def test_a_budget_ends_a_sweep_of_all_kinds(sweeps: Sweeps) -> None:
    """One that ends when it is asked, one that knows nothing of it, and some for which there is no time."""
    sweeps.do({0: "asked", 1: "sleep"})
    code, output = sweeps.run("x=range(4)", "count=2000", "seconds=0.1", "hydra.launcher.budget=40s")
    assert code == 3, output
    results = {run["number"]: (run["state"], run["error"]) for run in sweeps.results()["runs"]}
    assert [results[number][0] for number in range(4)] == ["interrupted", "interrupted", "pending", "pending"]
    assert "of 2000: the end of the budget of 40s at " in results[0][1]
    assert results[1][1].endswith("came before it had ended")
    assert results[2][1].startswith("not started")
    assert "0 of 4 runs completed, the others have not started or were ended before they were done" in output
    assert sweeps.starts()[-1]["x"] in (0, 1)
    sweeps.do({})
    code, output = sweeps.run("x=range(1,4)", "count=2000", "seconds=0.1")
    assert code == 0, output

"""The supervisor's loop, with a server in memory."""

from __future__ import annotations

import time
from pathlib import Path

from attempts_in_memory import AttemptsInMemory, planned

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import Report
from ddrsa.sweep.supervise.events import Observers, SweepObserver
from ddrsa.sweep.supervise.record import SweepRecord
from ddrsa.sweep.supervise.session import SweepSession
from ddrsa.sweep.supervise.supervisor import Supervisor


class Noting(SweepObserver):
    """Notes what it is told of attempts."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def attempt_started(self, run: PlannedRun, attempt: int) -> None:
        self.told.append((run.number, "starts", attempt))

    def attempt_ended(self, run: PlannedRun, state: State, reason: str | None) -> None:
        self.told.append((run.number, state, reason))


def test_an_attempt_that_another_process_has_taken_is_none_of_ours(tmp_path: Path) -> None:
    server, run = AttemptsInMemory(), planned(tmp_path)
    supervisor = Supervisor(server, Noting(), n_jobs=1)
    supervisor.submit([run])
    assert server.claimed == [run.directory]
    server.reports = {1: Report(State.RUNNING, elsewhere=True)}
    supervisor._step()
    server.reports = {2: Report(State.COMPLETED, value=7)}
    ended = supervisor.wait()
    assert ended is not None
    assert (ended[1].state, ended[1].value, ended[1].attempts) == (State.COMPLETED, 7, 1)
    assert server.claimed == []


def test_what_a_scheduler_has_queued_is_withdrawn_when_no_new_run_shall_start(tmp_path: Path) -> None:
    server, observer = AttemptsInMemory(), Noting()
    supervisor = Supervisor(server, observer, n_jobs=2, max_failures=1)
    server.in_queue = {2}
    supervisor.submit([planned(tmp_path, number) for number in range(3)])
    assert observer.told == [(0, "starts", 1)]
    server.reports = {1: Report(State.FAILED, "it is broken")}
    outcomes = {run.number: outcome for run, outcome in iter(supervisor.wait, None)}
    why = "1 run has failed (max_failures=1)"
    assert server.killed == [2]
    assert (outcomes[1].state, outcomes[1].reason) == (State.INTERRUPTED, why)
    assert 2 not in outcomes
    assert (supervisor.not_started.state, supervisor.not_started.reason) == (State.PENDING, why)


def test_a_run_that_ends_between_two_looks_at_the_queue_is_shown(tmp_path: Path) -> None:
    server, observer = AttemptsInMemory(), Noting()
    supervisor = Supervisor(server, observer, n_jobs=1)
    server.in_queue = {1}
    supervisor.submit([planned(tmp_path)])
    assert observer.told == []
    server.reports = {1: Report(State.COMPLETED)}
    assert supervisor.wait() is not None
    assert observer.told == [(0, "starts", 1), (0, State.COMPLETED, None)]


def test_the_time_in_which_a_run_waits_for_its_next_attempt_is_not_its_own(tmp_path: Path) -> None:
    server = AttemptsInMemory()
    supervisor = Supervisor(server, Noting(), n_jobs=1, retries=1)
    seconds = 0.5
    supervisor.submit([planned(tmp_path, 0, timeout=seconds / 60), planned(tmp_path, 1)])
    server.reports = {1: Report(State.FAILED, "once")}
    failed = time.monotonic()
    while time.monotonic() < failed + 1.5 * seconds:
        supervisor._step()
    assert list(server.specs) == [1, 2]
    server.reports = {2: Report(State.COMPLETED)}
    supervisor._step()
    assert [server.specs[3].identity, server.specs[3].attempt] == ["run0", 2]
    server.reports |= {3: Report(State.COMPLETED)}
    outcomes = {run.number: outcome for run, outcome in iter(supervisor.wait, None)}
    assert (outcomes[0].state, server.killed) == (State.COMPLETED, [])


class Moves(SweepObserver):
    """Notes the runs that got another directory."""

    def __init__(self) -> None:
        self.moved_to: list[tuple[int, str]] = []

    def moved(self, run: PlannedRun) -> None:
        self.moved_to.append((run.number, run.directory.name))


def taken(path: Path, identity: str, value: float) -> None:
    path.mkdir(parents=True, exist_ok=True)
    write_json(RunDirectory(path).status, {"run_id": identity, "state": State.COMPLETED, "return_value": value})


def test_a_directory_that_another_sweep_has_taken_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    server, observer, run = AttemptsInMemory(), Moves(), planned(tmp_path)
    supervisor = Supervisor(server, observer, n_jobs=1)
    taken(run.directory, "of another sweep", 1.5)
    supervisor.submit([run])
    server.reports = {1: Report(State.COMPLETED, value=7)}
    ended = supervisor.wait()
    assert ended is not None
    assert (ended[0].directory.name, ended[1].value) == ("x0_run0", 7)
    assert server.specs[1].directory == tmp_path / "x0_run0"
    assert observer.moved_to == [(0, "x0_run0")]
    assert RunDirectory(run.directory).status_or_empty()["return_value"] == 1.5


def test_another_sweep_may_take_and_leave_a_directory_between_two_looks(tmp_path: Path) -> None:
    class Race(AttemptsInMemory):
        def claim(self, directory: Path) -> bool:
            if directory == run.directory:
                taken(directory, "of another sweep", 1.5)
            return super().claim(directory)

    server, run = Race(), planned(tmp_path)
    supervisor = Supervisor(server, SweepObserver(), n_jobs=1)
    supervisor.submit([run])
    assert server.claimed == [tmp_path / "x0_run0"]
    assert RunDirectory(run.directory).status_or_empty()["return_value"] == 1.5


def test_a_directory_whose_status_cannot_be_written_costs_that_run_only(tmp_path: Path) -> None:
    server = AttemptsInMemory()
    supervisor = Supervisor(server, SweepObserver(), n_jobs=1)
    runs = [planned(tmp_path, 0), planned(tmp_path / ("y" * 300), 1), planned(tmp_path, 2)]
    record = SweepRecord(tmp_path)
    session = SweepSession(supervisor, record, Observers([record]), 3, None)
    session.submit(runs)
    outcomes = {}
    while True:
        server.reports = {number: Report(State.COMPLETED) for number in server.specs if number not in outcomes}
        ended = session.wait()
        if ended is None:
            break
        outcomes[ended[0].number] = ended[1]
    assert [outcomes[number].state for number in range(3)] == [State.COMPLETED, State.FAILED, State.COMPLETED]
    assert "File name too long" in str(outcomes[1].reason)


def test_a_retry_that_takes_too_long_keeps_the_reason_for_which_there_was_one(tmp_path: Path) -> None:
    server, run = AttemptsInMemory(), planned(tmp_path, timeout=0.01)
    supervisor = Supervisor(server, Noting(), n_jobs=1, retries=1)
    supervisor.submit([run])
    server.reports = {1: Report(State.FAILED, "ValueError: it is broken")}
    ended = supervisor.wait()
    assert ended is not None
    assert (ended[1].state, ended[1].attempts) == (State.TIMED_OUT, 2)
    reason = "it took longer than timeout=0.01 minutes; its first attempt failed: ValueError: it is broken"
    assert ended[1].reason == reason
    assert RunDirectory(run.directory).status_or_empty()["error"] == reason


def test_a_failure_from_before_is_tried_again_though_the_clock_was_set_back(tmp_path: Path) -> None:
    server, run = AttemptsInMemory(), planned(tmp_path)
    RunDirectory(run.directory).path.mkdir(parents=True)
    RunDirectory(run.directory).begin(run.identity)
    RunDirectory(run.directory).end(State.FAILED, "ValueError: no", ended_at="2999-01-01T00:00:00+00:00")
    supervisor = Supervisor(server, Noting(), n_jobs=1)
    supervisor.submit([run])
    assert len(server.specs) == 1


def test_a_failure_that_another_launcher_has_seen_meanwhile_is_not(tmp_path: Path) -> None:
    server, first, run = AttemptsInMemory(), planned(tmp_path, 0), planned(tmp_path, 1)
    supervisor = Supervisor(server, Noting(), n_jobs=1)
    supervisor.submit([first, run])
    RunDirectory(run.directory).path.mkdir(parents=True)
    RunDirectory(run.directory).begin(run.identity)
    RunDirectory(run.directory).end(State.FAILED, "ValueError: no", ended_at="1970-01-01T00:00:00+00:00")
    server.reports = {1: Report(State.COMPLETED)}
    outcomes = {run.number: outcome for run, outcome in iter(supervisor.wait, None)}
    assert (outcomes[1].state, outcomes[1].attempts) == (State.FAILED, 0)
    assert len(server.specs) == 1

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.show.estimate import Durations, durations_of, remaining_seconds, shown_duration
from ddrsa.sweep.show.run_view import RunView


def waiting(number: int, kind: str = "lstm") -> list[RunView]:
    return [RunView(f"seed={seed}", Path(f"{kind}{seed}"), kind) for seed in range(number)]


def under_way(name: str, epoch: int, num_epochs: int, seconds: float, kind: str = "lstm") -> RunView:
    """A run that took `seconds` for its first epochs and has just ended the last of them."""
    run = RunView(name, Path(name), kind, state=State.RUNNING, attempt=1)
    run.since, run.changed, run.seen = time.monotonic() - seconds, time.time(), time.monotonic()
    run.status = {"epoch": epoch, "num_epochs": num_epochs, "seconds": seconds}
    run.first = (epoch, run.changed) if epoch else None
    return run


def test_nothing_is_known_at_the_start() -> None:
    assert remaining_seconds(waiting(4), Durations(), 2) is None
    assert remaining_seconds([under_way("a", 0, 10, 5.0), *waiting(2)], Durations(), 2) is None
    assert remaining_seconds([], Durations(), 2) == 0


def test_the_epochs_of_the_runs_under_way() -> None:
    run = under_way("a", epoch=2, num_epochs=10, seconds=8.0)
    assert remaining_seconds([run], Durations(), 2) == pytest.approx(32, abs=0.5)
    # Another that has said nothing yet, and one that waits, are expected to take the 40 seconds of this.
    silent = under_way("b", 0, 10, seconds=10.0)
    assert remaining_seconds([run, silent], Durations(), 1) == pytest.approx(32 + 30, abs=0.5)
    assert remaining_seconds([run, *waiting(3)], Durations(), 2) == pytest.approx((32 + 3 * 40) / 2, abs=0.5)


def test_a_resumed_attempt_is_measured_by_the_epochs_that_were_seen() -> None:
    run = under_way("a", epoch=90, num_epochs=100, seconds=20.0)
    run.attempt, run.first = 2, (88, time.time() - 6)
    assert run.seconds_per_epoch() == pytest.approx(3, abs=0.1)
    assert remaining_seconds([run], Durations(), 1) == pytest.approx(30, abs=0.5)


def test_the_runs_that_ended_by_their_kind() -> None:
    durations = Durations()
    for kind, seconds in (("lstm", 10.0), ("lstm", 20.0), ("gru", 100.0)):
        durations.add(kind, seconds)
    assert remaining_seconds(waiting(4), durations, 2) == pytest.approx(30)
    assert remaining_seconds(waiting(1, "gru"), durations, 2) == pytest.approx(100)
    # The mean of all for a kind of which none has ended.
    assert remaining_seconds(waiting(1, "transformer"), durations, 1) == pytest.approx(130 / 3)
    # More workers than runs are of no use.
    assert remaining_seconds(waiting(1), durations, 8) == pytest.approx(15)
    assert durations.count == 3


def test_durations_are_read_from_the_files(tmp_path: Path) -> None:
    shown = Presentation(kind_keys=["model"])
    statuses = {
        "plain": (State.COMPLETED, None),
        "resumed": (State.COMPLETED, 500.0),  # its last attempt was shorter than all its training
        "failed": (State.FAILED, None),
    }
    runs = []
    for name, (state, training) in statuses.items():
        run = RunDirectory(tmp_path / name)
        run.path.mkdir()
        times = {"started_at": "2026-01-01T10:00:00+00:00", "ended_at": "2026-01-01T10:01:40+00:00"}
        write_json(run.status, {"state": state, **times})
        if training is not None:
            write_json(run.test_metrics, {"training_time_seconds": training})
        runs.append(RunView(name, run.path, shown.kind_of({"model": name}), state=state))
    durations = durations_of(runs)
    assert durations.count == 2
    assert durations.expected(shown.kind_of({"model": "plain"})) == 100
    assert durations.expected(shown.kind_of({"model": "resumed"})) == 500


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (0, "0 s"), (42.4, "42 s"), (90, "2 min"), (3600, "60 min"), (11100, "3 h 05 min")],
)
def test_shown_duration(seconds: float | None, text: str) -> None:
    assert shown_duration(seconds) == text
    assert shown_duration(180_000 + 3600 * 4) == "2 d 06 h"

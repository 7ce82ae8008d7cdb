"""The time that runs have."""

from __future__ import annotations

from pathlib import Path

import pytest
from attempts_in_memory import planned

from ddrsa.sweep.supervise.deadlines import Deadlines


def test_all_attempts_at_a_run_count_and_the_time_between_them_does_not(tmp_path: Path) -> None:
    deadlines = Deadlines(10, lambda: ())
    run = planned(tmp_path)
    deadlines.begin(1, run, 100)
    deadlines.end(1, 106)
    assert deadlines.overdue(1000) == []
    deadlines.begin(2, run, 1000)
    assert deadlines.overdue(1003.9) == []
    assert deadlines.overdue(1004) == [(2, "it took longer than timeout=0.166667 minutes")]


def test_what_waits_does_not_use_up_its_time(tmp_path: Path) -> None:
    waiting = [1]
    deadlines = Deadlines(10, lambda: waiting)
    deadlines.begin(1, planned(tmp_path, 1), 0)
    deadlines.begin(2, planned(tmp_path, 2), 0)
    for instant in range(10):
        assert deadlines.overdue(instant) == []
    assert [number for number, _ in deadlines.overdue(20)] == [2]
    waiting.clear()
    deadlines.end(2, 20)
    assert deadlines.overdue(29) == []
    assert [number for number, _ in deadlines.overdue(30)] == [1]


@pytest.mark.parametrize(("timeout", "own", "limit"), [(60, None, 60), (60, 2.0, 120), (None, 2.0, 120)])
def test_a_run_may_have_a_limit_of_its_own(
    tmp_path: Path, timeout: float | None, own: float | None, limit: float
) -> None:
    deadlines = Deadlines(timeout, lambda: ())
    deadlines.begin(1, planned(tmp_path, timeout=own), 0)
    assert deadlines.overdue(limit - 1) == []
    assert [number for number, _ in deadlines.overdue(limit)] == [1]


def test_without_a_limit_nobody_is_asked_who_waits(tmp_path: Path) -> None:
    asked: list[str] = []

    def waiting() -> tuple[int, ...]:
        asked.append("asked")
        return ()

    deadlines = Deadlines(None, waiting)
    deadlines.begin(1, planned(tmp_path), 0)
    assert deadlines.overdue(1e9) == []
    assert asked == []

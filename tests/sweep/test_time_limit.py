"""Deadlines and budgets: what is read, on nights when the clocks change too, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ddrsa.errors import ConfigError
from ddrsa.sweep.time_limit import TimeLimit, time_limit

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(monkeypatch: pytest.MonkeyPatch, text: str, fold: int = 0) -> float:
    """Set the clock on the wall."""
    now = datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()
    monkeypatch.setattr(time, "time", lambda: now)
    return now


def limit(deadline: object = None, budget: object = None) -> TimeLimit:
    found = time_limit(deadline, budget)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("now", "deadline", "hours"),
    [
        ("2026-11-28T12:00", "18:00", 6.0),
        ("2026-11-28T22:00", "07:30", 9.5),  # the next morning's
        ("2026-11-28T18:05", "18:00", 24 - 5 / 60),  # today's is over
        ("2026-11-28T12:00", "2026-11-30T18:00", 54.0),
        ("2026-11-28T12:00", "2026-11-28 12:00-01:00", 2.0),  # the zone that is given
        ("2026-10-24T22:00", "07:00", 10.0),  # the clocks are set back in between
        ("2026-10-25T00:00", "02:30", 2.5),  # twice: the first
        ("2026-03-28T22:00", "07:00", 8.0),  # they are set forward
        ("2026-03-28T22:00", "02:30", 4.5),  # left out: half an hour after the change
    ],
)
def test_time_of_day(monkeypatch: pytest.MonkeyPatch, now: str, deadline: str, hours: float) -> None:
    at(monkeypatch, now)
    assert limit(deadline).left() == pytest.approx(3600 * hours)


def test_of_a_time_that_comes_twice_the_second_where_the_first_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "2026-10-25T02:45")
    assert limit("02:30").left() == pytest.approx(45 * 60)
    at(monkeypatch, "2026-10-25T02:45", fold=1)
    assert limit("02:30").left() == pytest.approx(3600 * 23.75)


def test_a_deadline_is_by_the_clock_on_the_wall_and_a_budget_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "2026-11-28T12:00")
    deadline, budget = limit("18:00"), limit(budget="6h")
    at(monkeypatch, "2026-11-28T13:00")  # the clock is set an hour forward
    assert deadline.left() == pytest.approx(5 * 3600)
    assert budget.left() == pytest.approx(6 * 3600, abs=60)


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [("6h", 21600), ("90min", 5400), ("1h30min", 5400), ("1.5 h", 5400), ("2d", 172800), ("45s", 45)],
)
def test_budget(budget: str, seconds: float) -> None:
    assert limit(budget=budget).left() == pytest.approx(seconds, abs=10)


def test_the_first_of_both_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "2026-11-28T12:00")
    assert limit("18:00", "2h").left() == pytest.approx(7200, abs=10)
    assert limit("13:00", "2h").text == "the deadline 13:00 CET"
    assert limit("07:00").text == "the deadline Sun 29 Nov 07:00 CET"
    assert time_limit(None, None) is None


@pytest.mark.parametrize(
    ("deadline", "budget", "said"),
    [
        ("25:00", None, "deadline=25:00: there is no such time of day; allowed is a time of day such as 18:00"),
        ("18:60", None, "deadline=18:60: there is no such time of day"),
        ("1080", None, "in a YAML file it stands in quotes, '18:00', or it is read as 1080"),
        ("six", None, "deadline=six: allowed is a time of day"),
        ("2026-11-30", None, "deadline=2026-11-30: it has no time"),
        (
            "2026-11-28T11:59",
            None,
            "deadline=2026-11-28T11:59: that is over, it is 12:00 CET; allowed is a time to come",
        ),
        (None, "-1h", "budget=-1h: allowed is a duration such as 6h, 90min or 1h30min"),
        (None, "0h", "budget=0h: allowed is more than nothing"),
        (None, "6", "budget=6: the unit is missing; allowed is a duration such as 6h"),
        (None, "6 hours", "budget=6 hours: allowed is a duration"),
        (None, "nan h", "budget=nan h: allowed is a duration"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, deadline: object, budget: object, said: str) -> None:
    at(monkeypatch, "2026-11-28T12:00")
    with pytest.raises(ConfigError) as error:
        time_limit(deadline, budget)
    assert said in str(error.value)

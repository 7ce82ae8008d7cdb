"""Observers of a sweep."""

from __future__ import annotations

import logging

import pytest

from ddrsa.sweep.supervise.events import Observers, SweepObserver


class Counting(SweepObserver):
    def __init__(self) -> None:
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1


class Failing(Counting):
    def tick(self) -> None:
        super().tick()
        raise OSError(28, "no space left on device")


def test_one_that_fails_is_named_and_not_called_again(caplog: pytest.LogCaptureFixture) -> None:
    failing, counting = Failing(), Counting()
    observers = Observers([failing, counting])
    with caplog.at_level(logging.ERROR):
        observers.tick()
        observers.tick()
    assert (failing.ticks, counting.ticks) == (1, 2)
    assert [record.getMessage() for record in caplog.records] == ["Failing failed; the sweep goes on without it"]
    assert "no space left on device" in caplog.text

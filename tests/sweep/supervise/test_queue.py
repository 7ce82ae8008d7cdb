"""The queue of a supervisor."""

from __future__ import annotations

from pathlib import Path

from attempts_in_memory import planned

from ddrsa.sweep.supervise.queue import RunQueue
from ddrsa.sweep.supervise.run_state import SupervisedRun


def test_a_run_that_another_process_has_comes_back_after_a_while(tmp_path: Path) -> None:
    first, second, third = (SupervisedRun(planned(tmp_path, number)) for number in range(3))
    queue = RunQueue(look_seconds=5)
    queue.add(first)
    queue.add(second)
    assert queue.next(0) is first
    queue.set_aside(first, 0)
    assert len(queue) == 2
    assert queue.next(1) is second
    assert queue.next(4.9) is None
    assert len(queue) == 1
    queue.add(third)
    assert [queue.next(5), queue.next(5), queue.next(5)] == [third, first, None]
    assert not queue

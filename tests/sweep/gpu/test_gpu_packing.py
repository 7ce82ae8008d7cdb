"""runs_per_gpu=auto, with processes that hold GPUs of a fake driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest
from gpu_holders import Holder, HoldGpu, UntilWaiting

from ddrsa.sweep.gpu.lease import processes_that_wait

GIB = 2**30
SETTLE = 0.4  # seconds


class Pack(Protocol):
    """Starts such a process; variables: of its environment."""

    def __call__(self, takes: float | None = None, *, settle: float = SETTLE, **variables: str) -> Holder: ...


@pytest.fixture
def pack(hold_gpu: HoldGpu) -> Pack:
    """Start a process that leases a GPU of 40 GiB by its memory, and, where `takes` is given, takes so many GiB."""

    def start(takes: float | None = None, *, settle: float = SETTLE, **variables: str) -> Holder:
        environ = {"FAKE_GPUS": "GPU-a=0", "FAKE_TOTAL": str(40 * GIB), **variables}
        holder = hold_gpu(runs_per_gpu="auto", settle_seconds=settle, variables=environ)
        if takes is not None:
            holder.read()
            holder.take(takes)
        return holder

    return start


@pytest.mark.parametrize("silence", [{}, {"FAKE_SILENCE": "1"}])
def test_as_many_runs_as_the_memory_has_room_for(
    pack: Pack, until_waiting: UntilWaiting, silence: dict[str, Any]
) -> None:
    first = pack(10, **silence)
    for _ in range(2):
        pack(10, **silence)  # 10 of 40 GiB, then 20 are taken: there is room for 11.5 more
    fourth = pack(**silence)
    until_waiting(1)
    assert fourth.finds_none(after=SETTLE)
    first.kill()
    assert fourth.read()["gpu"] == 0


def test_a_run_that_has_not_begun_is_waited_for(pack: Pack, until_waiting: UntilWaiting) -> None:
    first = pack(0)
    second = pack()
    until_waiting(1)
    assert second.finds_none(after=SETTLE)
    first.take(1)
    assert second.read()["gpu"] == 0


def test_a_run_that_grows_is_waited_for(pack: Pack, until_waiting: UntilWaiting) -> None:
    first = pack(1)
    second = pack(settle=2)
    until_waiting(1)
    for gib in (2, 3, 4, 5):
        assert second.finds_none(1)
        first.take(gib)
    assert second.finds_none(1)
    first.take(36)
    assert second.finds_none(after=2)  # it has settled where there is no room for a second one
    first.take(5)
    assert second.read()["gpu"] == 0


def test_what_a_run_took_that_has_ended_counts(pack: Pack, until_waiting: UntilWaiting) -> None:
    large = pack(12)
    small = pack(1)
    large.kill()
    third = pack()
    assert third.read()["gpu"] == 0
    fourth = pack(FAKE_TOTAL=str(14 * GIB))  # enough for the small one again, and not for the large one
    until_waiting(1)
    assert fourth.finds_none(after=SETTLE)
    small.kill()


def test_without_the_driver_s_word_a_gpu_has_one_run(pack: Pack, until_waiting: UntilWaiting) -> None:
    first = pack(FAKE_GPUS="GPU-a=unknown")
    first.read()
    second = pack(FAKE_GPUS="GPU-a=unknown")
    until_waiting(1)
    assert second.finds_none(after=SETTLE)
    first.kill()
    assert second.read()["gpu"] == 0


def test_runs_that_count_and_runs_that_measure_do_not_mix(
    pack: Pack, hold_gpu: HoldGpu, until_waiting: UntilWaiting
) -> None:
    environ = {"FAKE_GPUS": "GPU-a=0"}
    first = pack(1)
    counting = hold_gpu(runs_per_gpu=4, variables=environ)
    until_waiting(1)
    assert counting.finds_none(after=SETTLE)
    first.kill()
    counting.read()
    measuring = pack()
    until_waiting(1)
    assert measuring.finds_none(after=SETTLE)  # nothing is known of what the other takes


def test_a_run_that_must_have_the_gpu_to_itself(pack: Pack, until_waiting: UntilWaiting) -> None:
    first = pack(1)
    whole = pack(DDRSA_WHOLE_GPU="1")
    until_waiting(1)
    assert whole.finds_none(after=SETTLE)
    first.kill()
    whole.read()
    third = pack()
    until_waiting(1)
    assert third.finds_none(after=SETTLE)


def test_who_waits_is_known(pack: Pack, until_waiting: UntilWaiting, tmp_path: Path) -> None:
    first = pack(1)
    second = pack(settle=60)
    until_waiting(1)
    assert processes_that_wait(tmp_path / "leases") == {second.process.pid}
    second.kill()
    assert processes_that_wait(tmp_path / "leases") == set()
    first.kill()

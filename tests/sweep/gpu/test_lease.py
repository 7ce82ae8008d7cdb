from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from gpu_holders import Holder, HoldGpu, SetGpus, UntilWaiting

from ddrsa.errors import ConfigError
from ddrsa.sweep.gpu.lease import GpuLease, current_lease, lease_gpu, release_current

GPUS = {"FAKE_GPUS": "GPU-a=900,GPU-b=100,GPU-c=100"}


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    yield
    release_current()


def leased(
    gpus: Sequence[int], lease_dir: Path, *, run: str = "", environ: Mapping[str, str] | None = None
) -> GpuLease:
    """The lease of a process that gets one."""
    lease = lease_gpu(gpus, lease_dir=lease_dir, run=run, environ=environ)
    assert lease is not None
    return lease


def most_at_once(intervals: list[dict[str, Any]]) -> int:
    """The largest number of intervals that overlap, by sweeping over their ends."""
    events = sorted(itertools.chain(((i["begin"], 1) for i in intervals), ((i["end"], -1) for i in intervals)))
    return max(itertools.accumulate(step for _, step in events))


def intervals_of(holders: list[Holder]) -> list[dict[str, Any]]:
    return [(holder.read(), holder.read())[1] for holder in holders]


@pytest.mark.parametrize(("gpus", "processes", "runs_per_gpu"), [([0, 1, 2, 3], 12, 1), ([0, 2, 3], 9, 2)])
def test_no_gpu_is_held_more_often_than_allowed(
    hold_gpu: HoldGpu, gpus: list[int], processes: int, runs_per_gpu: int
) -> None:
    intervals = intervals_of([hold_gpu(gpus, runs_per_gpu=runs_per_gpu, hold=0.4) for _ in range(processes)])
    assert {interval["gpu"] for interval in intervals} == set(gpus)
    for gpu in gpus:
        assert most_at_once([interval for interval in intervals if interval["gpu"] == gpu]) <= runs_per_gpu
    assert most_at_once(intervals) > runs_per_gpu  # several GPUs are used at the same time


def test_a_killed_holder_frees_its_gpu_at_the_next_look(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    first = hold_gpu([0])
    first.read()
    second = hold_gpu([0])
    until_waiting(1)
    assert second.finds_none()
    first.kill()
    dead = time.monotonic()
    second.read()
    assert [when for when in second.looks() if when > dead] == []


def test_who_waits_longest_comes_first(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    first = hold_gpu([0])
    first.read()
    waiting = []
    for count in (1, 2, 3):
        waiting.append(hold_gpu([0], hold=0.1))
        until_waiting(count)
    first.let_go()
    begins = [interval["begin"] for interval in intervals_of(waiting)]
    assert begins == sorted(begins)


def test_a_run_that_wants_a_gpu_to_itself_is_not_starved(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    sharing = [hold_gpu([0], runs_per_gpu=2) for _ in range(2)]
    for holder in sharing:
        holder.read()
    alone = hold_gpu([0], runs_per_gpu=1)
    until_waiting(1)
    sharing[0].let_go()
    late = hold_gpu([0], runs_per_gpu=2)  # there is room for it, but another waits longer
    until_waiting(2)
    assert late.finds_none()
    sharing[1].let_go()
    assert alone.read()["gpu"] == 0
    assert late.finds_none()
    alone.let_go()
    assert late.read()["gpu"] == 0


def test_runs_of_several_gpus_do_not_wait_for_each_other(hold_gpu: HoldGpu) -> None:
    holders = [hold_gpu(gpus, count=2, hold=0.1) for gpus in ([0, 1, 2], [2, 1, 0], [1, 2], [0, 1, 2])]
    intervals = intervals_of(holders)
    assert all(len(set(interval["gpus"])) == 2 for interval in intervals)
    for gpu in range(3):
        assert most_at_once([interval for interval in intervals if gpu in interval["gpus"]]) == 1


def test_a_run_that_wants_several_gpus_is_not_starved(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    first = hold_gpu([0, 1])
    assert first.read()["gpus"] == [0]
    both = hold_gpu([0, 1], count=2)
    until_waiting(1)
    late = hold_gpu([0, 1])  # a GPU is free, but both are kept for who waits longer
    until_waiting(2)
    first.let_go()
    assert both.read()["gpus"] == [0, 1]
    both.let_go()
    assert late.read()["gpus"] == [0]


@pytest.mark.parametrize(("count", "message"), [(3, "at most 2 here, there are the GPUs 0, 1"), (0, "at least 1")])
def test_refuses_more_gpus_than_there_are(tmp_path: Path, fake_driver: SetGpus, count: int, message: str) -> None:
    fake_driver("GPU-a=1", "GPU-b=1")
    with pytest.raises(ConfigError, match=message):
        lease_gpu("auto", lease_dir=tmp_path, count=count)


def test_several_gpus_are_let_go_together(tmp_path: Path, fake_driver: SetGpus) -> None:
    fake_driver("GPU-a=1", "GPU-b=1")
    lease = lease_gpu("auto", lease_dir=tmp_path, count=2)
    assert lease is not None
    assert lease.indices == (0, 1)
    lease.release()
    assert leased([0, 1], tmp_path).index == 0
    release_current()
    assert leased([1], tmp_path).index == 1


def test_who_waits_for_one_gpu_does_not_keep_others_from_another(
    hold_gpu: HoldGpu, until_waiting: UntilWaiting
) -> None:
    hold_gpu([0]).read()
    hold_gpu([0])
    until_waiting(1)
    assert hold_gpu([0, 1]).read()["gpu"] == 1


def test_a_killed_waiter_holds_nobody_up(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    first = hold_gpu([0])
    first.read()
    waiter = hold_gpu([0])
    until_waiting(1)
    waiter.kill()
    first.let_go()
    assert hold_gpu([0]).read()["gpu"] == 0


@pytest.mark.parametrize("order", [(1, 4), (4, 1)])
def test_a_sweep_that_does_not_share_keeps_its_gpu_to_itself(
    hold_gpu: HoldGpu, until_waiting: UntilWaiting, order: tuple[int, int]
) -> None:
    assert [hold_gpu([0, 1], runs_per_gpu=count).read()["gpu"] for count in order] == [0, 1]
    refused = hold_gpu([order.index(1)], runs_per_gpu=4)
    until_waiting(1)
    assert refused.finds_none()
    joins = hold_gpu([order.index(4)], runs_per_gpu=4)
    assert joins.read()["gpu"] == order.index(4)


def test_the_least_loaded_gpu_comes_first(hold_gpu: HoldGpu) -> None:
    assert [hold_gpu([3, 1, 2], runs_per_gpu=2).read()["gpu"] for _ in range(6)] == [1, 2, 3, 1, 2, 3]


def test_of_equally_loaded_gpus_the_one_with_less_memory_in_use(hold_gpu: HoldGpu) -> None:
    assert [hold_gpu(variables=GPUS).read()["gpu"] for _ in range(3)] == [1, 2, 0]


def test_sweeps_that_number_the_gpus_differently_do_not_collide(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    first = [hold_gpu(variables={**GPUS, "CUDA_VISIBLE_DEVICES": "2,1"}) for _ in range(2)]
    second = hold_gpu(variables={**GPUS, "CUDA_VISIBLE_DEVICES": "GPU-a"})
    held = Counter(holder.read()["identity"] for holder in [*first, second])
    assert held == Counter(["GPU-a", "GPU-b", "GPU-c"])
    third = hold_gpu(variables={**GPUS, "CUDA_VISIBLE_DEVICES": "1"})
    until_waiting(1)
    assert third.finds_none()
    for holder in first:
        holder.let_go()
    assert third.read() == {"gpu": 0, "gpus": [0], "identity": "GPU-b"}


def test_a_forked_child_neither_holds_nor_frees_the_gpu(hold_gpu: HoldGpu, until_waiting: UntilWaiting) -> None:
    parent = hold_gpu([0], fork=True)
    child = next(line for line in (parent.read(), parent.read()) if "child" in line)
    try:
        assert not child["holds"]
        second = hold_gpu([0])
        until_waiting(1)
        assert second.finds_none()  # the child has let go what it inherited
        parent.kill()
        second.read()
        os.kill(child["child"], 0)  # the child lives
    finally:
        os.kill(child["child"], signal.SIGKILL)


def test_one_lease_after_another_in_one_process(tmp_path: Path, fake_driver: SetGpus) -> None:  # noqa: ARG001
    assert current_lease() is None
    with leased([1], tmp_path, run="first") as lease:
        assert current_lease() is lease
        assert (lease.index, lease.held) == (1, True)
        content = json.loads((tmp_path / "index-1.0.lease").read_text())
        assert (content["pid"], content["run"], content["runs_per_gpu"]) == (os.getpid(), "first", 1)
        with pytest.raises(RuntimeError, match="already holds GPU 1"):
            lease_gpu([0], lease_dir=tmp_path)
    assert current_lease() is None
    lease = leased([1], tmp_path)
    release_current()
    release_current()
    assert not lease.held


def test_no_gpu_no_lease(tmp_path: Path, fake_driver: SetGpus) -> None:  # noqa: ARG001
    assert lease_gpu(lease_dir=tmp_path) is None
    assert current_lease() is None


def test_cuda_is_told_to_number_the_gpus_as_nvml_does(tmp_path: Path, fake_driver: SetGpus) -> None:
    fake_driver("GPU-a=0", "GPU-b=0")
    assert leased([1], tmp_path).gpu.identity == "GPU-b"
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_gpus_can_be_leased_without_regard_to_the_machine(tmp_path: Path, fake_driver: SetGpus) -> None:
    fake_driver("GPU-a=0")
    assert leased([3], tmp_path, environ={"CUDA_VISIBLE_DEVICES": ""}).gpu.identity == "index-3"


@pytest.mark.parametrize("runs_per_gpu", [0, -1, 1.5, True, "2", None])
def test_refuses_a_bad_runs_per_gpu(tmp_path: Path, fake_driver: SetGpus, runs_per_gpu: Any) -> None:  # noqa: ARG001
    with pytest.raises(ConfigError, match="runs_per_gpu is"):
        lease_gpu([0], runs_per_gpu, tmp_path)


def test_says_that_it_waits_and_how_long_it_did(
    hold_gpu: HoldGpu,
    tmp_path: Path,
    fake_driver: SetGpus,  # noqa: ARG001
    caplog: pytest.LogCaptureFixture,
) -> None:
    holder = hold_gpu([0, 1], hold=None)
    other = hold_gpu([0, 1], hold=None)
    holder.read()
    freed = other.read()["gpu"]
    threading.Timer(0.5, other.let_go).start()
    started = time.monotonic()
    with caplog.at_level(logging.INFO, logger="ddrsa.sweep"):
        lease = leased([0, 1], tmp_path / "leases")
    assert lease.index == freed
    assert 0.4 < time.monotonic() - started < 3
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "waiting for a free GPU among [0, 1] (runs_per_gpu is 1)"
    assert said[1].startswith(f"got GPU {freed} after waiting 0.")
    assert len(said) == 2


def test_an_unusable_lease_directory_is_a_config_error(tmp_path: Path, fake_driver: SetGpus) -> None:  # noqa: ARG001
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be used .*DDRSA_LEASE_DIR"):
        lease_gpu([0], lease_dir=tmp_path / "file")

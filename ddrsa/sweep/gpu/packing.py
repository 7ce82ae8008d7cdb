"""Packing of runs on a GPU (`runs_per_gpu=auto`): room for one more, judged by what the runs there are seen to take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddrsa.sweep.gpu.memory import GpuMemory, gpu_memory
from ddrsa.sweep.gpu.visible import Gpu

AUTO = "auto"
# How long the memory of a GPU's runs must have stayed as it is: by then the first steps of a training are done, and
# the allocator of torch keeps what it has had.
SETTLE_SECONDS = 10.0
# A process that uses CUDA takes more than this for its context alone. Whoever takes less has not begun.
SMALLEST_USE = 64 * 2**20
# Smaller changes are not taken for growth.
TOLERANCE = 32 * 2**20
# What must be free: so much more than the largest run takes, for the steps that need more than the first ones, ...
MARGIN = 1.15
# ... and this, for what the driver itself takes for one more process.
RESERVE = 256 * 2**20


@dataclass
class _Watch:
    """The memory that the runs on a GPU were seen to take together, and the time since when no more than that."""

    pids: frozenset[int]
    together: int
    since: float


class Packing:
    """Watches GPUs on behalf of one run that waits. Holders are the contents of the leases on a GPU."""

    def __init__(self, settle_seconds: float = SETTLE_SECONDS) -> None:
        self.settle_seconds = settle_seconds
        self._watches: dict[str, _Watch] = {}

    def room(self, gpu: Gpu, holders: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
        """The content for the lease of one more run on `gpu`; None while there is no room, or none known.

        An empty GPU has room. Otherwise every run on it must take memory already, must have taken no more for
        `settle_seconds`, and there must be free what the largest of them took, with a margin.
        """
        memory = gpu_memory(gpu)
        if not holders:
            return {} if memory is None else {"memory_before": memory.used}
        takes, told = ([], False) if memory is None else _takes(memory, holders)
        if memory is None or not takes or min(takes) < SMALLEST_USE:
            self._watches.pop(gpu.identity, None)
            return None
        pids, instant = frozenset(int(holder["pid"]) for holder in holders), time.monotonic()
        watch = self._watches.get(gpu.identity)
        if watch is None or watch.pids != pids or sum(takes) > watch.together + TOLERANCE:
            self._watches[gpu.identity] = watch = _Watch(pids, sum(takes), instant)
        if instant < watch.since + self.settle_seconds:
            return None
        # Runs that have ended were seen by those that joined them.
        need = max([*takes, *(int(holder.get("memory_need", 0)) for holder in holders)])
        # Where only the sum is known, one of them may not have begun.
        owed = 0 if told else max(need * len(holders) - sum(takes), 0)
        if memory.free - owed < MARGIN * need + RESERVE:
            return None
        before = min((int(holder["memory_before"]) for holder in holders if "memory_before" in holder), default=None)
        return {"memory_need": need} | ({} if before is None else {"memory_before": before})


def _takes(memory: GpuMemory, holders: Sequence[Mapping[str, Any]]) -> tuple[list[int], bool]:
    """The bytes that each holder takes, empty where that cannot be known; and whether the driver told it of each.

    Otherwise it is what is used more than before the first of them came, in equal parts.
    """
    each = [memory.used_by(int(holder["pid"])) for holder in holders]
    if any(used is not None for used in each):
        return [used or 0 for used in each], True
    before = [int(holder["memory_before"]) for holder in holders if "memory_before" in holder]
    return ([(memory.used - min(before)) // len(holders)] * len(holders) if before else []), False

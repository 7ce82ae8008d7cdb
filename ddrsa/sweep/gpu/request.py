"""Requests for a GPU, and the files by which runs agree on who has which.

A lease is a file that its holder keeps locked (`ddrsa.rundir.locked_files`), `<gpu>.<slot>.lease`; whoever waits for a
GPU holds a `<number>.waiting`. They are looked at and made under one mutex, so no two processes choose at once.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from filelock import FileLock

from ddrsa.rundir.files import now
from ddrsa.rundir.locked_files import LockedFile, lock_directory, read_held
from ddrsa.sweep.gpu.memory import gpu_memory
from ddrsa.sweep.gpu.packing import AUTO, Packing
from ddrsa.sweep.gpu.visible import Gpu

log = logging.getLogger(__name__)

# More leases than this no GPU has, whatever its memory.
MOST_LEASES = 64


@dataclass(frozen=True)
class GpuLease:
    """The right of this process to run on `gpu`, until `release`, the end of a `with`, or the end of the process.

    shared: whether other runs may have the GPU at the same time.
    others: the leases of the further GPUs of a run that has several.
    """

    gpu: Gpu
    file: LockedFile
    shared: bool
    others: tuple[GpuLease, ...] = ()

    @property
    def index(self) -> int:
        """The GPU's index in torch; of several, the first."""
        return self.gpu.index

    @property
    def indices(self) -> tuple[int, ...]:
        """The indices of all its GPUs."""
        return (self.index, *(other.index for other in self.others))

    @property
    def held(self) -> bool:
        """False once it is released, and in a process that was forked from its holder."""
        return self.file.held

    def release(self) -> None:
        """Let the GPU go, and the others. May be called again."""
        for lease in (*self.others, self):
            lease.file.release()

    def __enter__(self) -> GpuLease:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


def processes_that_wait(lease_dir: Path | str | None = None) -> set[int]:
    """The process ids of those that wait for a GPU now. Raises as `lock_directory`."""
    directory = lock_directory(lease_dir)
    with _mutex(directory):
        tickets = [read_held(path) for path in directory.glob("*.waiting")]
    return {int(content["pid"]) for content in tickets if content is not None}


def _mutex(directory: Path) -> FileLock:
    return FileLock(directory / "mutex.lock", poll_interval=0.01)


class Request:
    """A run's place in the queue for `count` GPUs. Hold the mutex for every method except `wait` and `ahead`.

    All of them are taken at one time or none: a run that holds some and waits for others there is not.
    """

    def __init__(
        self,
        directory: Path,
        wanted: list[Gpu],
        runs_per_gpu: int | str,
        run: str,
        packing: Packing,
        count: int = 1,
    ) -> None:
        self.directory = directory
        self.wanted = wanted
        self.count = count
        self.runs_per_gpu = runs_per_gpu
        self.packing = packing
        self.content = {"pid": os.getpid(), "run": run, "runs_per_gpu": runs_per_gpu, "since": now()}
        self.ticket: LockedFile | None = None

    def wait(self, poll_seconds: float) -> GpuLease:
        started = time.monotonic()
        mutex = _mutex(self.directory)
        try:
            with mutex:
                lease = self.take()
                if lease is None:
                    self.ticket = self.queue()
            if lease is not None:
                return lease
            indices = [gpu.index for gpu in self.wanted]
            what = "a free GPU" if self.count == 1 else f"{self.count} free GPUs"
            log.info("waiting for %s among %s (runs_per_gpu is %s)", what, indices, self.runs_per_gpu)
            while lease is None:
                # Those far back in the queue need not look often: a hundred of them would keep the mutex busy.
                time.sleep(poll_seconds * (1 + self.ahead() // len(self.wanted)))
                with mutex:
                    lease = self.take()
            got = ", ".join(map(str, lease.indices))
            log.info("got GPU %s after waiting %.1f s", got, time.monotonic() - started)
            return lease
        finally:
            if self.ticket is not None:
                self.ticket.release()

    def take(self) -> GpuLease | None:
        """Lease a GPU, or several, if so many are free for this run."""
        reserved = self.reserved()
        loads: dict[Gpu, int] = {}
        contents: dict[Gpu, dict[str, Any]] = {}
        for gpu in self.wanted:
            if gpu.identity in reserved:
                continue
            holders = self.holders(gpu.identity)
            content = self.content_beside(gpu, holders)
            if content is not None:
                loads[gpu], contents[gpu] = len(holders), content
        if len(loads) < self.count:
            return None
        by_load = sorted(loads, key=lambda gpu: loads[gpu])
        if len(by_load) > 1:
            by_load.sort(key=lambda gpu: (loads[gpu], _memory_in_use(gpu), gpu.index))
        leases: list[GpuLease] = []
        for gpu in by_load:
            lease = self.lease(gpu, contents[gpu])
            if lease is not None:
                leases.append(lease)
            if len(leases) == self.count:
                return replace(leases[0], others=tuple(leases[1:]))
        for lease in leases:
            lease.release()
        return None

    def lease(self, gpu: Gpu, content: dict[str, Any]) -> GpuLease | None:
        """A lease file on the GPU; None where another program holds them all."""
        for slot in range(MOST_LEASES if self.runs_per_gpu == AUTO else int(self.runs_per_gpu)):
            path = self.directory / f"{_file_name(gpu.identity)}.{slot}.lease"
            file = LockedFile.create(path, content)
            if file is not None:
                return GpuLease(gpu, file, shared=self.runs_per_gpu != 1)
        return None

    def content_beside(self, gpu: Gpu, holders: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The content for the lease on `gpu` beside `holders`; None where one more is too many."""
        theirs = [holder["runs_per_gpu"] for holder in holders]
        numbers = [int(number) for number in theirs if number != AUTO]
        if self.runs_per_gpu == AUTO:
            found = self.packing.room(gpu, holders) if len(holders) < min([MOST_LEASES, *numbers]) else None
            return None if found is None else {**self.content, **found}
        # Who counts on a number of runs would not leave the memory that the others were measured to need.
        return self.content if AUTO not in theirs and len(holders) < min([int(self.runs_per_gpu), *numbers]) else None

    def holders(self, identity: str) -> list[dict[str, Any]]:
        """The contents of the leases on the GPU."""
        contents = [read_held(path) for path in self.directory.glob(f"{_file_name(identity)}.*.lease")]
        return [content for content in contents if content is not None]

    def queue(self) -> LockedFile:
        """A ticket behind all who wait."""
        last = max((int(path.stem) for path in self.directory.glob("*.waiting")), default=0)
        path = self.directory / f"{last + 1:09d}.waiting"
        ticket = LockedFile.create(
            path, {**self.content, "gpus": [gpu.identity for gpu in self.wanted], "count": self.count}
        )
        if ticket is None:
            raise OSError(f"{path} was locked or deleted by another program")
        return ticket

    def ahead(self) -> int:
        """The number of requests that have waited longer."""
        return sum(self.ticket is not None and path < self.ticket.path for path in self.directory.glob("*.waiting"))

    def reserved(self) -> set[str]:
        """The GPUs kept for those who wait longer: for each, in turn, as many of the least loaded as it wants.

        So a run that wants a GPU to itself gets one, although runs that share would fill each gap.
        """
        reserved: set[str] = set()
        for path in sorted(self.directory.glob("*.waiting")):
            if self.ticket is not None and path == self.ticket.path:
                break
            if all(gpu.identity in reserved for gpu in self.wanted):
                break
            content = read_held(path)
            if content is None:
                path.unlink(missing_ok=True)
                continue
            choices = [identity for identity in content["gpus"] if identity not in reserved]
            choices.sort(key=lambda identity: len(self.holders(identity)))
            reserved.update(choices[: content.get("count", 1)])
        return reserved


def _memory_in_use(gpu: Gpu) -> int:
    memory = gpu_memory(gpu)
    return 0 if memory is None else memory.used


def _file_name(identity: str) -> str:
    return quote(identity, safe="")  # the identity of a MIG device may hold a slash

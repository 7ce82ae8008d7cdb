"""A lease of a GPU for a run: how many runs share a GPU, over all sweeps of the user on this machine.

The leases are files that their holders keep locked (`ddrsa.sweep.locked_files`), `<gpu>.<slot>.lease`; whoever waits
for a GPU holds a `<number>.waiting`. They are looked at and made under one mutex, so no two processes choose at once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from filelock import FileLock

from ddrsa.errors import ConfigError
from ddrsa.rundir import now
from ddrsa.sweep.locked_files import LockedFile, lock_directory, read_held
from ddrsa.sweep.visible_gpus import Gpu, memory_in_use, requested_gpus, visible_gpus

__all__ = [
    "Gpu",
    "GpuLease",
    "current_lease",
    "lease_gpu",
    "release_current",
    "requested_gpus",
    "visible_gpus",
    "without_leases",
]

log = logging.getLogger(__name__)

# Indices, separated by commas, of the GPUs on which earlier attempts at this run failed.
AVOID_VARIABLE = "DDRSA_AVOID_GPUS"


@dataclass(frozen=True)
class GpuLease:
    """The right of this process to run on `gpu`, until `release`, the end of a `with`, or the end of the process."""

    gpu: Gpu
    file: LockedFile

    @property
    def index(self) -> int:
        """The GPU's index in torch."""
        return self.gpu.index

    @property
    def held(self) -> bool:
        """False once it is released, and in a process that was forked from its holder."""
        return self.file.held

    def release(self) -> None:
        """Let the GPU go. May be called again."""
        self.file.release()

    def __enter__(self) -> GpuLease:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


# A process is one run at a time, so it has at most one lease; loky's workers are used for one run after another.
_current: GpuLease | None = None


def current_lease() -> GpuLease | None:
    """The lease that this process holds, or None."""
    return _current if _current is not None and _current.held else None


def release_current() -> None:
    """Let go the GPU that this process holds, if any: to be called when a run ends, however it ends."""
    lease = current_lease()
    if lease is not None:
        lease.release()


_leases_allowed = True


@contextmanager
def without_leases() -> Iterator[None]:
    """In this block `lease_gpu` raises RuntimeError: for whoever looks at a config without being the run."""
    global _leases_allowed
    before, _leases_allowed = _leases_allowed, False
    try:
        yield
    finally:
        _leases_allowed = before


def lease_gpu(
    gpus: str | Sequence[int] = "auto",
    runs_per_gpu: int = 1,
    lease_dir: Path | str | None = None,
    *,
    run: str = "",
    environ: Mapping[str, str] | None = None,
    poll_seconds: float = 0.2,
) -> GpuLease | None:
    """Lease the least loaded of `gpus` for this process; wait while all are taken.

    A GPU is free for this run while fewer runs hold it than `runs_per_gpu` of this run and of each holder. Of the free
    ones it takes that with the fewest leases, then that with the least memory in use, then the first. Who waits longer
    comes first: it has the least loaded of its GPUs kept for it.

    gpus: "auto", all visible GPUs, or a list of torch's indices (`requested_gpus`).
    runs_per_gpu: how many runs may share a GPU, at least 1.
    lease_dir: see `lock_directory`.
    run: the name that the lease shows to others.
    environ: os.environ by default. {"CUDA_VISIBLE_DEVICES": ""} leases without regard to the machine's GPUs.

    The GPUs of the environment variable DDRSA_AVOID_GPUS are leased only where there is no other among `gpus`.

    Returns None where `gpus` is "auto" and no GPU is visible.
    Raises ConfigError on values that are not allowed, RuntimeError where this process already holds a lease
    and within `without_leases`.
    """
    global _current
    if not _leases_allowed:
        raise RuntimeError("a GPU is leased by the process of a run, and not where runs are planned")
    if isinstance(runs_per_gpu, bool) or not isinstance(runs_per_gpu, int) or runs_per_gpu < 1:
        raise ConfigError(f"runs_per_gpu is {runs_per_gpu!r}: it must be a whole number, at least 1")
    if (held := current_lease()) is not None:
        raise RuntimeError(f"this process already holds GPU {held.index}; it must release it before it leases another")
    if environ is None:
        # An index means the same to NVML and to CUDA only in this order. CUDA reads it when it is first used.
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        environ = os.environ
    wanted = requested_gpus(gpus, environ)
    if not wanted:
        return None
    avoid = os.environ.get(AVOID_VARIABLE, "").split(",")
    wanted = [gpu for gpu in wanted if str(gpu.index) not in avoid] or wanted
    directory = lock_directory(lease_dir)
    try:
        _current = _Request(directory, wanted, runs_per_gpu, run).wait(poll_seconds)
    except OSError as error:
        raise ConfigError(f"the directory of the GPU leases, {directory}, cannot be used: {error}") from error
    return _current


class _Request:
    """What a run asks of the files in `directory`. All but `wait` and `ahead` must be called under the mutex."""

    def __init__(self, directory: Path, wanted: list[Gpu], runs_per_gpu: int, run: str) -> None:
        self.directory = directory
        self.wanted = wanted
        self.runs_per_gpu = runs_per_gpu
        self.content = {"pid": os.getpid(), "run": run, "runs_per_gpu": runs_per_gpu, "since": now()}
        self.ticket: LockedFile | None = None

    def wait(self, poll_seconds: float) -> GpuLease:
        started = time.monotonic()
        mutex = FileLock(self.directory / "mutex.lock", poll_interval=0.01)
        try:
            with mutex:
                lease = self.take()
                if lease is None:
                    self.ticket = self.queue()
            if lease is not None:
                return lease
            indices = [gpu.index for gpu in self.wanted]
            log.info("waiting for a free GPU among %s (runs_per_gpu is %d)", indices, self.runs_per_gpu)
            while lease is None:
                # Those far back in the queue need not look often: a hundred of them would keep the mutex busy.
                time.sleep(poll_seconds * (1 + self.ahead() // len(self.wanted)))
                with mutex:
                    lease = self.take()
            log.info("got GPU %d after waiting %.1f s", lease.index, time.monotonic() - started)
            return lease
        finally:
            if self.ticket is not None:
                self.ticket.release()

    def take(self) -> GpuLease | None:
        """Lease a GPU if one is free for this run."""
        reserved = self.reserved()
        loads: dict[Gpu, int] = {}
        for gpu in self.wanted:
            capacities = self.capacities_of_holders(gpu.identity)
            if gpu.identity not in reserved and len(capacities) < min([self.runs_per_gpu, *capacities]):
                loads[gpu] = len(capacities)
        least_loaded = [gpu for gpu, load in loads.items() if load == min(loads.values())]
        if len(least_loaded) > 1:
            least_loaded.sort(key=lambda gpu: (memory_in_use(gpu), gpu.index))
        for gpu in least_loaded:
            for slot in range(self.runs_per_gpu):
                file = LockedFile.create(self.directory / f"{_file_name(gpu.identity)}.{slot}.lease", self.content)
                if file is not None:
                    return GpuLease(gpu, file)
        return None

    def capacities_of_holders(self, identity: str) -> list[int]:
        """The runs_per_gpu of each run that holds the GPU."""
        contents = [read_held(path) for path in self.directory.glob(f"{_file_name(identity)}.*.lease")]
        return [int(content["runs_per_gpu"]) for content in contents if content is not None]

    def queue(self) -> LockedFile:
        """A ticket behind all who wait."""
        last = max((int(path.stem) for path in self.directory.glob("*.waiting")), default=0)
        path = self.directory / f"{last + 1:09d}.waiting"
        ticket = LockedFile.create(path, {**self.content, "gpus": [gpu.identity for gpu in self.wanted]})
        if ticket is None:
            raise OSError(f"{path} was locked or deleted by another program")
        return ticket

    def ahead(self) -> int:
        """How many have waited longer."""
        return sum(self.ticket is not None and path < self.ticket.path for path in self.directory.glob("*.waiting"))

    def reserved(self) -> set[str]:
        """The GPUs kept for those who wait longer: for each, in turn, the least loaded of those that it can use.

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
            if choices:
                reserved.add(min(choices, key=lambda identity: len(self.capacities_of_holders(identity))))
        return reserved


def _file_name(identity: str) -> str:
    return quote(identity, safe="")  # the identity of a MIG device may hold a slash

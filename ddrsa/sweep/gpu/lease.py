"""A lease of a GPU for a run: how many runs share a GPU, over all sweeps of the user on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ddrsa.errors import ConfigError
from ddrsa.rundir.locked_files import LockedFile, lock_directory
from ddrsa.sweep.gpu.packing import AUTO, SETTLE_SECONDS, Packing
from ddrsa.sweep.gpu.request import GpuLease, Request, processes_that_wait
from ddrsa.sweep.gpu.visible import APPLE, Gpu, requested_gpus, visible_gpus

__all__ = [
    "APPLE",
    "Gpu",
    "GpuLease",
    "current_lease",
    "last_lease",
    "lease_gpu",
    "processes_that_wait",
    "release_current",
    "requested_gpus",
    "visible_gpus",
    "when_leased",
    "without_leases",
]

# Indices, separated by commas, of the GPUs on which earlier attempts at this run failed.
AVOID_VARIABLE = "DDRSA_AVOID_GPUS"
# Set for an attempt that must have a GPU to itself, because an earlier one ran out of memory beside others.
WHOLE_VARIABLE = "DDRSA_WHOLE_GPU"
# Set for a run that has all GPUs it sees from a scheduler: to "shared" where other runs may have them too.
GIVEN_VARIABLE = "DDRSA_GIVEN_GPU"


# A process is one run at a time, so it has at most one lease; loky's workers are used for one run after another.
_current: GpuLease | None = None
_when_leased: Callable[[GpuLease], None] | None = None


def current_lease() -> GpuLease | None:
    """The lease that this process holds, or None."""
    return _current if _current is not None and _current.held else None


def last_lease() -> GpuLease | None:
    """The lease that this process holds or held last, or None."""
    return _current


def when_leased(tell: Callable[[GpuLease], None]) -> None:
    """Have `tell` called with each lease that this process gets."""
    global _when_leased
    _when_leased = tell


def release_current() -> None:
    """Let go the GPU that this process holds, if any: to be called when a run ends, however it ends."""
    lease = current_lease()
    if lease is not None:
        lease.release()


_leases_allowed = True


@contextmanager
def without_leases() -> Iterator[None]:
    """Within the block, `lease_gpu` raises RuntimeError: for whoever looks at a config without being the run."""
    global _leases_allowed
    before, _leases_allowed = _leases_allowed, False
    try:
        yield
    finally:
        _leases_allowed = before


def lease_gpu(
    gpus: str | Sequence[int] = "auto",
    runs_per_gpu: int | str = 1,
    lease_dir: Path | str | None = None,
    *,
    count: int = 1,
    run: str = "",
    environ: Mapping[str, str] | None = None,
    poll_seconds: float = 0.2,
    settle_seconds: float = SETTLE_SECONDS,
) -> GpuLease | None:
    """Lease the least loaded of `gpus` for this process; wait while all are taken.

    A GPU is free for this run while fewer runs hold it than `runs_per_gpu` of this run and of each holder. Of the free
    ones it takes that with the fewest leases, then that with the least memory in use, then the first. Who waits longer
    comes first: it has the least loaded of its GPUs kept for it.

    gpus: "auto", all visible GPUs, a list of torch's indices, or `APPLE` (`requested_gpus`).
    runs_per_gpu: how many runs may share a GPU, at least 1; or "auto", as many as its memory has room for
        (`ddrsa.sweep.gpu.packing`), among runs that are "auto" too.
    lease_dir: see `lock_directory`.
    count: how many GPUs this run takes: all at one time, when so many are free.
    run: the name that the lease shows to others.
    environ: os.environ by default. {"CUDA_VISIBLE_DEVICES": ""} leases without regard to the machine's GPUs.
    settle_seconds: with "auto", how long the memory of the runs on a GPU must not have grown.

    The GPUs of the environment variable DDRSA_AVOID_GPUS are leased only where there is no other among `gpus`.
    Where DDRSA_WHOLE_GPU is set, `runs_per_gpu` is taken as 1. Where DDRSA_GIVEN_GPU is set, a scheduler has chosen the
    GPUs that are visible: this process has the first of them at once, and nothing is kept from others.

    Returns None where `gpus` is "auto" and no GPU is visible.
    Raises ConfigError on values that are not allowed, or where there are fewer GPUs than `count`; RuntimeError where
    this process already holds a lease and within `without_leases`.
    """
    global _current
    if not _leases_allowed:
        raise RuntimeError("a GPU is leased by the process of a run, and not where runs are planned")
    if runs_per_gpu != AUTO and (type(runs_per_gpu) is not int or runs_per_gpu < 1):
        raise ConfigError(f"runs_per_gpu is {runs_per_gpu!r}: it must be a whole number, at least 1, or auto")
    if (held := current_lease()) is not None:
        raise RuntimeError(f"this process already holds GPU {held.index}; it must release it before it leases another")
    if given := os.environ.get(GIVEN_VARIABLE):
        visible = visible_gpus(os.environ if environ is None else environ)
        if visible:
            _check_count(count, visible)
            leases = [_lease_without_lock(gpu, given == "shared") for gpu in visible[:count]]
            _current = replace(leases[0], others=tuple(leases[1:]))
        else:
            _current = None
        return _current
    if environ is None:
        # An index means the same to NVML and to CUDA only in this order. CUDA reads it when it is first used.
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        environ = os.environ
    wanted = requested_gpus(gpus, environ)
    if not wanted:
        return None
    _check_count(count, wanted)
    avoid = os.environ.get(AVOID_VARIABLE, "").split(",")
    others = [gpu for gpu in wanted if str(gpu.index) not in avoid]
    wanted = others if len(others) >= count else wanted
    if os.environ.get(WHOLE_VARIABLE):
        runs_per_gpu = 1
    directory = lock_directory(lease_dir)
    try:
        _current = Request(directory, wanted, runs_per_gpu, run, Packing(settle_seconds), count).wait(poll_seconds)
    except OSError as error:
        raise ConfigError(f"the directory of the GPU leases, {directory}, cannot be used: {error}") from error
    if _when_leased is not None:
        _when_leased(_current)
    return _current


def _check_count(count: int, gpus: Sequence[Gpu]) -> None:
    if type(count) is not int or count < 1:
        raise ConfigError(f"gpus_per_run is {count!r}: it must be a whole number, at least 1")
    if count > len(gpus):
        indices = ", ".join(str(gpu.index) for gpu in gpus)
        raise ConfigError(
            f"gpus_per_run={count}: a run can have at most {len(gpus)} here, there are the GPUs {indices}"
        )


def _lease_without_lock(gpu: Gpu, shared: bool) -> GpuLease:
    nothing = Path(os.devnull)
    return GpuLease(gpu, LockedFile(nothing, os.open(nothing, os.O_RDWR)), shared)

"""Reasons for the end of an attempt, each in one line."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from ddrsa.errors import RunEnded

OUT_OF_GPU_MEMORY = "out of memory on the GPU"
OUT_OF_HOST_MEMORY = "out of memory on the host"

# As torch, CUDA's libraries and numpy word it; recognised by name, so that torch need not be imported.
_GPU_MEMORY = re.compile(r"CUDA out of memory|HIP out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED")
_HOST_MEMORY = re.compile(r"DefaultCPUAllocator: (can't|not enough)|Unable to allocate|Cannot allocate memory")


def memory_that_ran_out(text: str) -> str | None:
    """OUT_OF_GPU_MEMORY or OUT_OF_HOST_MEMORY, where the output of a program speaks of it; else None."""
    if _GPU_MEMORY.search(text):
        return OUT_OF_GPU_MEMORY
    return OUT_OF_HOST_MEMORY if _HOST_MEMORY.search(text) or "\nMemoryError" in text else None


def reason_of_exception(error: BaseException) -> str:
    """`Type: first line of the message`, after the kind of memory that ran out where one did."""
    if isinstance(error, RunEnded):
        return str(error)
    name = type(error).__name__
    first_line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = f"{name}: {first_line}" if first_line else name
    if isinstance(error, SystemExit):
        text = f"the task called sys.exit({error.code!r})"
    if isinstance(error, MemoryError) or (not isinstance(error, SystemExit) and _HOST_MEMORY.search(str(error))):
        return f"{OUT_OF_HOST_MEMORY}: {text}"
    if name == "OutOfMemoryError" or _GPU_MEMORY.search(str(error)):
        return f"{OUT_OF_GPU_MEMORY}: {text}"
    return text


def reason_of_exit(exit_code: int, out_of_memory: bool) -> str:
    """The reason of a process that ended without a report.

    exit_code: negative, a signal. out_of_memory: the kernel killed a process for memory meanwhile.
    """
    if exit_code >= 0:
        return f"the process ended with exit code {exit_code} before the task returned"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if out_of_memory and name == "SIGKILL":
        return f"{OUT_OF_HOST_MEMORY}: killed by {name}"
    return f"killed by {name}"


def kernel_memory_kills() -> int:
    """The number of processes that the kernel has killed for memory, here and in this process's control groups."""
    total = _counter(Path("/proc/vmstat"))
    for line in _lines(Path("/proc/self/cgroup")):
        group = line.rpartition(":")[2].lstrip("/")
        total += _counter(Path("/sys/fs/cgroup") / group / "memory.events")
    return total


def _counter(path: Path) -> int:
    return sum(int(line.split()[1]) for line in _lines(path) if line.startswith("oom_kill "))


def _lines(path: Path) -> list[str]:
    # Kernels and containers differ in which of these files they have.
    try:
        return path.read_text().splitlines()
    except OSError:
        return []

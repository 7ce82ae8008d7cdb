"""Memory of a GPU in use, in all and by process, as the driver tells."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import psutil
import pynvml

from ddrsa.sweep.gpu.visible import Gpu, nvml

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GpuMemory:
    """Bytes of one GPU's memory.

    used: by all processes of all users. processes: bytes by process id, of those that the driver tells of: in a
    container it may know other process ids, or none.
    """

    total: int
    used: int
    processes: dict[int, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Bytes that nobody uses."""
        return self.total - self.used

    def used_by(self, pid: int) -> int | None:
        """By the process `pid` and its descendants; None where the driver tells of none of them."""
        try:
            family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        except psutil.NoSuchProcess:
            return None
        known = [self.processes[member] for member in family if member in self.processes]
        return sum(known) if known else None


def gpu_memory(gpu: Gpu) -> GpuMemory | None:
    """The memory of `gpu` now; None where the driver does not tell."""
    try:
        with nvml():
            handle = pynvml.nvmlDeviceGetHandleByUUID(gpu.identity)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            return GpuMemory(int(memory.total), int(memory.used), _processes(handle))
    except pynvml.NVMLError as error:
        log.debug("the memory of %s is not known: %s", gpu.identity, error)
        return None


def _processes(handle: object) -> dict[int, int]:
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError as error:  # a MIG device, or a driver that keeps it to administrators
        log.debug("the processes on a GPU are not known: %s", error)
        return {}
    return {process.pid: int(process.usedGpuMemory) for process in processes if process.usedGpuMemory is not None}

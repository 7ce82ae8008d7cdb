"""Load and memory of the machine that the server runs on: its cores, its GPUs, the disk of the sweeps."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pynvml

from ddrsa.sweep.gpu.visible import nvml

LOOK_SECONDS = 2.0


class Machine:
    """Looks at the machine at most every two seconds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._next = 0.0
        self._seen: dict[str, Any] = {}
        psutil.cpu_percent(percpu=True)  # the load is that since the last call

    def look(self) -> dict[str, Any]:
        """What is known now."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._seen = self._look()
                self._next = time.monotonic() + LOOK_SECONDS
            return self._seen

    def _look(self) -> dict[str, Any]:
        memory = psutil.virtual_memory()
        disk = None
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(self.directory)
            disk = {"total": usage.total, "free": usage.free}
        return {
            "hostname": socket.gethostname(),
            "cores": psutil.cpu_percent(percpu=True),
            "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
            "memory": {"total": memory.total, "used": memory.total - memory.available},
            "disk": disk,
            "gpus": _gpus(),
        }


def _gpus() -> list[dict[str, Any]]:
    """Those of NVIDIA's driver; none where there is none, or it does not answer."""
    found = []
    try:
        with nvml():
            for index in range(pynvml.nvmlDeviceGetCount()):
                with contextlib.suppress(pynvml.NVMLError):  # one that a container withholds
                    found.append(_gpu(index))
    except pynvml.NVMLError:
        return found
    return found


def _gpu(index: int) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    name = pynvml.nvmlDeviceGetName(handle)
    gpu: dict[str, Any] = {
        "index": index,
        "name": name.decode() if isinstance(name, bytes) else str(name),
        "memory": None,
        "load": None,
        "temperature": None,
    }
    # Not every driver tells of these.
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        gpu["memory"] = {"total": int(memory.total), "used": int(memory.used)}
    with contextlib.suppress(pynvml.NVMLError, AttributeError):
        gpu["load"] = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with contextlib.suppress(pynvml.NVMLError, AttributeError):
        gpu["temperature"] = int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    return gpu

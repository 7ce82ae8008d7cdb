"""A driver with the GPUs of the environment variable FAKE_GPUS: "<UUID>=<bytes in use>,...". No variable: no driver.

Each GPU has FAKE_TOTAL bytes. Processes allocate more by a file <UUID>.<process id> with the number of bytes in the
directory FAKE_ALLOCATIONS; it counts while they live. With FAKE_SILENCE the driver does not tell who has how much.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

NVML_ERROR_NO_PERMISSION = 4
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_LIBRARY_NOT_FOUND = 12


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


def _gpus() -> list[list[str]]:
    return [entry.split("=") for entry in os.environ["FAKE_GPUS"].split(",")]


def nvmlInit() -> None:  # noqa: N802
    if "FAKE_GPUS" not in os.environ:
        raise NVMLError(NVML_ERROR_LIBRARY_NOT_FOUND)
    if os.environ["FAKE_GPUS"] == "mismatch":
        raise NVMLError(18)


def nvmlShutdown() -> None:  # noqa: N802
    pass


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(_gpus())


def nvmlDeviceGetHandleByIndex(index: int) -> int:  # noqa: N802
    if _gpus()[index][0] == "withheld":
        raise NVMLError(NVML_ERROR_NO_PERMISSION)
    return index


def nvmlDeviceGetHandleByUUID(uuid: str) -> int:  # noqa: N802
    return [entry[0] for entry in _gpus()].index(uuid)


def nvmlDeviceGetUUID(handle: int) -> str:  # noqa: N802
    return _gpus()[handle][0]


def nvmlDeviceGetMemoryInfo(handle: int) -> SimpleNamespace:  # noqa: N802
    uuid, used = _gpus()[handle]
    if used == "unknown":
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return SimpleNamespace(used=int(used) + sum(_allocations(uuid).values()), total=int(os.environ["FAKE_TOTAL"]))


def nvmlDeviceGetComputeRunningProcesses(handle: int) -> list[SimpleNamespace]:  # noqa: N802
    if "FAKE_SILENCE" in os.environ:
        raise NVMLError(NVML_ERROR_NO_PERMISSION)
    return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in _allocations(_gpus()[handle][0]).items()]


def _allocations(uuid: str) -> dict[int, int]:
    found = {}
    for file in Path(os.environ.get("FAKE_ALLOCATIONS", "/nowhere")).glob(f"{uuid}.*"):
        pid = int(file.suffix[1:])
        try:
            os.kill(pid, 0)
            found[pid] = int(file.read_text() or 0)
        except (ProcessLookupError, FileNotFoundError):  # it has ended, or given its memory back meanwhile
            continue
    return found


NVML_TEMPERATURE_GPU = 0


def nvmlDeviceGetName(handle: int) -> str:  # noqa: N802, ARG001
    return "Fake GPU"


def nvmlDeviceGetUtilizationRates(handle: int) -> SimpleNamespace:  # noqa: N802, ARG001
    return SimpleNamespace(gpu=50, memory=0)


def nvmlDeviceGetTemperature(handle: int, sensor: int) -> int:  # noqa: N802, ARG001
    return 60

"""A driver with the GPUs of the environment variable FAKE_GPUS: "<UUID>=<bytes in use>,...". No variable: no driver."""

import os
from types import SimpleNamespace

NVML_ERROR_NO_PERMISSION = 4
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_LIBRARY_NOT_FOUND = 12


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(f"NVML error {value}")
        self.value = value


def _gpus():
    return [entry.split("=") for entry in os.environ["FAKE_GPUS"].split(",")]


def nvmlInit():  # noqa: N802
    if "FAKE_GPUS" not in os.environ:
        raise NVMLError(NVML_ERROR_LIBRARY_NOT_FOUND)
    if os.environ["FAKE_GPUS"] == "mismatch":
        raise NVMLError(18)


def nvmlShutdown():  # noqa: N802
    pass


def nvmlDeviceGetCount():  # noqa: N802
    return len(_gpus())


def nvmlDeviceGetHandleByIndex(index):  # noqa: N802
    if _gpus()[index][0] == "withheld":
        raise NVMLError(NVML_ERROR_NO_PERMISSION)
    return index


def nvmlDeviceGetHandleByUUID(uuid):  # noqa: N802
    return [entry[0] for entry in _gpus()].index(uuid)


def nvmlDeviceGetUUID(handle):  # noqa: N802
    return _gpus()[handle][0]


def nvmlDeviceGetMemoryInfo(handle):  # noqa: N802
    if _gpus()[handle][1] == "unknown":
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return SimpleNamespace(used=int(_gpus()[handle][1]))

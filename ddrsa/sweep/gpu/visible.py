"""GPUs that this process may use, numbered as torch numbers them."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pynvml

from ddrsa.errors import ConfigError

log = logging.getLogger(__name__)

Entry = TypeVar("Entry", int, str)


# As a value of `gpus`: the one GPU of a Mac, which no driver of NVIDIA's lists.
APPLE = "apple"


@dataclass(frozen=True)
class Gpu:
    """One GPU: `index` is torch's (`cuda:<index>`), `identity` is the same in every process of the machine.

    Two processes with another CUDA_VISIBLE_DEVICES give another index to one GPU; its UUID stays.
    """

    index: int
    identity: str


def visible_gpus(environ: Mapping[str, str] = os.environ) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES shows; none where there is no driver.

    CUDA_VISIBLE_DEVICES is read as CUDA and torch (`torch.cuda._parse_visible_devices`) read it: indices, or GPU UUIDs
    or their beginnings; an entry that is not valid hides itself and all after it; a GPU named twice hides all. MIG
    identifiers are taken as they are given.

    Raises ConfigError where CUDA_DEVICE_ORDER makes CUDA number several GPUs otherwise than by their PCI bus.
    """
    uuids = _machine_uuids()
    order = environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if len(uuids) > 1 and order != "PCI_BUS_ID":
        raise ConfigError(
            f"the environment variable CUDA_DEVICE_ORDER is {order!r}: with several GPUs it must be PCI_BUS_ID or unset"
        )
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    identities = uuids if visible is None or not uuids else _select(visible.split(","), uuids)
    return [Gpu(index, identity) for index, identity in enumerate(identities)]


def requested_gpus(gpus: str | Sequence[int] = "auto", environ: Mapping[str, str] = os.environ) -> list[Gpu]:
    """The visible GPUs that the config key `gpus` asks for: all of them ("auto"), or those with torch's indices.

    Where no GPU is visible, a list is taken as it is, with the identities "index-<i>": the allocation of runs to GPUs
    can then be tried without any. `APPLE` is the GPU of a Mac.

    Raises ConfigError where `gpus` is neither, is empty, names an index twice or one that is not visible.
    """
    if gpus == APPLE:
        return [Gpu(0, APPLE)]
    visible = visible_gpus(environ)
    if gpus == "auto":
        return visible
    if not isinstance(gpus, Sequence) or isinstance(gpus, str):
        raise ConfigError(f"gpus is {gpus!r}: it must be auto or a list of GPU indices such as [0,2]")
    indices: list[int] = list(gpus)
    if not indices or any(isinstance(i, bool) or not isinstance(i, int) or i < 0 for i in indices):
        raise ConfigError(f"gpus is {indices}: the list must hold at least one index, and each must be 0 or more")
    repeated = [i for i in indices if indices.count(i) > 1]
    if repeated:
        raise ConfigError(f"gpus is {indices}: GPU {repeated[0]} is named more than once")
    if not visible:
        return [Gpu(i, f"index-{i}") for i in indices]
    for i in indices:
        if i >= len(visible):
            raise ConfigError(f"gpus is {indices}: there is no GPU {i}, this process sees 0 to {len(visible) - 1}")
    return [visible[i] for i in indices]


@contextmanager
def nvml() -> Iterator[None]:
    """Open NVML within the block. Raises NVMLError where there is no driver."""
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _machine_uuids() -> list[str]:
    """The UUIDs of the GPUs that this process may open, in the order of their PCI bus."""
    absent = (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    uuids = []
    try:
        with nvml():
            for i in range(pynvml.nvmlDeviceGetCount()):
                try:
                    uuids.append(_text(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(i))))
                except pynvml.NVMLError as error:
                    # A GPU that a container or a batch system withholds is counted by NVML, but not by CUDA.
                    if error.value != pynvml.NVML_ERROR_NO_PERMISSION:
                        raise
    except pynvml.NVMLError as error:
        if error.value not in absent:
            log.warning("no GPU can be used, the NVIDIA driver answers: %s", error)
        return []
    return uuids


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _select(entries: list[str], uuids: list[str]) -> list[str]:
    """The UUIDs, or MIG identifiers, that the entries of CUDA_VISIBLE_DEVICES name."""
    if entries[0].startswith("MIG-"):
        return _none_if_repeated(list(itertools.takewhile(lambda entry: entry.startswith("MIG-"), entries)))
    if entries[0].startswith("GPU-"):
        named = _none_if_repeated(list(itertools.takewhile(lambda entry: entry.startswith("GPU-"), entries)))
        matches = ([uuid for uuid in uuids if uuid.startswith(entry)] for entry in named)
        return _none_if_repeated([match[0] for match in itertools.takewhile(lambda match: len(match) == 1, matches)])
    ordinals = _none_if_repeated(list(_ordinals(entries)))
    return [uuids[i] for i in itertools.takewhile(lambda i: i < len(uuids), ordinals)]


def _ordinals(entries: list[str]) -> Iterator[int]:
    """The leading numbers, as C's strtoul reads them: "1gpu" is 1."""
    for entry in entries:
        number = re.match(r"[+-]?\d+", entry.strip())
        if number is None or int(number[0]) < 0:
            return
        yield int(number[0])


def _none_if_repeated(values: list[Entry]) -> list[Entry]:
    return values if len(set(values)) == len(values) else []

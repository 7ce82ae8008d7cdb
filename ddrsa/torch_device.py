"""The torch device of a run."""

from __future__ import annotations

import logging

import torch

from ddrsa.errors import ConfigError

log = logging.getLogger(__name__)


def require_torch_for(device: str) -> None:
    """Raise ConfigError where this torch is not made for the device. CUDA stays asleep: a lease comes before it."""
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device=mps: torch finds no GPU of Apple's here; allowed here are auto, cpu and cuda")
    if device == "cuda" and not torch.backends.cuda.is_built():
        raise ConfigError(
            f"device=cuda: torch {torch.__version__} is built without CUDA; allowed here are auto and cpu"
        )


def choose_device(requested: str, gpu_index: int | None) -> torch.device:
    """The torch device of a run: the leased GPU where there is one and `requested` (a value of DEVICES) admits it.

    Apple's GPU is used for `mps` alone: models as small as these may be faster on the CPU.

    Raises ConfigError for cuda and mps without a GPU that torch can use.
    """
    require_torch_for(requested)
    if requested == "mps":
        return torch.device("mps")
    if requested != "cpu" and gpu_index is not None and torch.cuda.is_available():
        device = torch.device("cuda", gpu_index)
        torch.cuda.set_device(device)
        return device
    if requested == "cuda":
        reason = "no GPU was found" if gpu_index is None else "this build of torch cannot use a GPU"
        raise ConfigError(f"device=cuda: {reason}; allowed here are auto and cpu")
    if requested == "auto" and gpu_index is not None:
        log.warning(
            "GPU %d is leased, but torch %s cannot use one: this run is on the CPU", gpu_index, torch.__version__
        )
    return torch.device("cpu")

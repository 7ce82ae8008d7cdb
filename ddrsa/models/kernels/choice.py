"""The choice between the compiled kernels and PyTorch's own recurrent layers."""

from __future__ import annotations

import functools
import importlib.util
import logging
from pathlib import Path

import torch
from torch import Tensor

from ddrsa.checks import require
from ddrsa.models.options import KERNELS

log = logging.getLogger(__name__)

# Wider layers are left to PyTorch, whose matrix products are as fast then: benchmarks/recurrent_kernels.py.
MOST_UNITS = 128

# Windows that the kernels do side by side: of fewer, and of a rest, they do as many.
WINDOWS_OF_TILE = 32

_wanted = "auto"


def choose_kernel(name: str) -> None:
    """Set what this process computes recurrent layers with: auto, the fastest; or torch, PyTorch's own layers."""
    global _wanted
    require("kernel", name, name in KERNELS, " or ".join(KERNELS))
    _wanted = name


def compiles_layers(units: int) -> bool:
    """Whether layers of so many units are done by the compiled kernels where they can: `takes_compiled_kernel`."""
    return _wanted == "auto" and units <= MOST_UNITS and _numba_is_there()


def takes_compiled_kernel(x: Tensor, units: int) -> bool:
    """Whether layers of so many units that read `x` are done by the compiled kernels.

    They know float32 and a CPU, neither tracing nor exporting, and no gradient of what they read. Where numba is
    missing, a line says so.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32 or type(x) not in (Tensor, torch.nn.Parameter):
        return False
    if x.requires_grad and torch.is_grad_enabled():
        return False
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # type: ignore[attr-defined, no-untyped-call]
        return False
    return compiles_layers(units)


def compiled_before() -> bool:
    """Whether the kernels lie compiled beside their source. Numba keeps them elsewhere where it cannot write there."""
    return _numba_is_there() and any((Path(__file__).parent / "__pycache__").glob("network.backward-*.nbi"))


@functools.cache
def _numba_is_there() -> bool:
    found = importlib.util.find_spec("numba") is not None
    if not found:
        log.warning("numba is not installed: an LSTM trains about half and a GRU a sixth as fast, by PyTorch's layers")
    return found

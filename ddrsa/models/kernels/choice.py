"""The choice between the compiled kernels and PyTorch's own recurrent layers.

An LSTM is left to PyTorch, whose own compiled layers are as fast on a CPU.
"""

from __future__ import annotations

import functools
import importlib.util
import logging

import torch
from torch import Tensor

from ddrsa.checks import require
from ddrsa.models.options import KERNELS

log = logging.getLogger(__name__)

# Wider layers are left to PyTorch, whose matrix products are as fast then: benchmarks/recurrent_kernels.py.
MOST_UNITS = 128

_wanted = "auto"


def choose_kernel(name: str) -> None:
    """Set what this process computes recurrent layers with: auto, the fastest; or torch, PyTorch's own layers."""
    global _wanted
    require("kernel", name, name in KERNELS, " or ".join(KERNELS))
    _wanted = name


def takes_compiled_kernel(x: Tensor, cell: str, units: int) -> bool:
    """Whether layers of so many units that read `x` are done by the compiled kernels.

    They know the GRU, float32 and a CPU, and neither tracing nor exporting. Where numba is missing, a line says so.
    """
    if _wanted != "auto" or cell != "gru" or units > MOST_UNITS:
        return False
    if x.device.type != "cpu" or x.dtype != torch.float32 or type(x) not in (Tensor, torch.nn.Parameter):
        return False
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # type: ignore[attr-defined, no-untyped-call]
        return False
    return _numba_is_there()


@functools.cache
def _numba_is_there() -> bool:
    found = importlib.util.find_spec("numba") is not None
    if not found:
        log.warning("numba is not installed: a GRU trains about a third as fast, by PyTorch's layers")
    return found

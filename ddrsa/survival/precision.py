"""Double precision on devices that lack it: Apple's GPUs (MPS) compute in float32 alone."""

from __future__ import annotations

from torch import Tensor


def where_float64_is(tensor: Tensor) -> Tensor:
    """The tensor on a device that has float64: its own, but the CPU in the place of MPS."""
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def to_float64(tensor: Tensor) -> Tensor:
    """The tensor in float64, on the device of `where_float64_is`."""
    return where_float64_is(tensor).double()

"""What a task returned, as JSON can say it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ddrsa.rundir.finite import finite

LARGEST = 1000  # numbers of an array, or entries of a list
_LEFT_OUT = object()


def kept_value(value: Any) -> tuple[Any, list[str]]:
    """The value as status.json keeps it, None for nothing, and what it cannot keep: "scores.best (Tensor)".

    An array of no dimension is a number, a small one and a tuple are lists. What is no number, text, list or mapping
    of such is left out, as are NaN and infinities; in a list null stands in its place.
    """
    left_out: list[str] = []
    plain = _plain(value, "", left_out)
    return (None if plain is _LEFT_OUT else plain), left_out


def _plain(value: Any, place: str, left_out: list[str]) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if finite(value) == value else _without("a whole number above 1e308", place, left_out)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _without(f"{value:g}", place, left_out)
    if isinstance(value, Mapping):
        entries = {str(key): _plain(value[key], _within(place, str(key)), left_out) for key in value}
        return {key: each for key, each in entries.items() if each is not _LEFT_OUT}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):  # OmegaConf's lists too
        if len(value) > LARGEST:
            return _without(f"{len(value)} entries", place, left_out)
        plain = [_plain(each, _within(place, str(at)), left_out) for at, each in enumerate(value)]
        return [None if each is _LEFT_OUT else each for each in plain]  # each keeps its place
    # NumPy, PyTorch, JAX and TensorFlow agree in these two.
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        size = math.prod(value.shape)
        return (
            _without(f"{size} numbers", place, left_out) if size > LARGEST else _plain(value.tolist(), place, left_out)
        )
    return _without(type(value).__name__, place, left_out)


def _within(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _without(what: str, place: str, left_out: list[str]) -> Any:
    left_out.append(f"{place} ({what})" if place else what)
    return _LEFT_OUT

"""What lies window by window, brought side by side into the lanes of a tile; and dropout there."""

from __future__ import annotations

from typing import Any

from numba import njit, types

from ddrsa.models.kernels.vectors import drop, load, splat, store, transpose


@njit(nogil=True)
def to_lanes(flat: Any, starts: Any, first: int, length: int, lanes: Any, places: Any) -> None:
    """lanes[p] = the floats at p of 32 stretches of `flat`, each `length` long, that begin at `starts` from `first` on.

    places: room for 32 int64.
    """
    here, there = places, places[16:]
    for half in range(0, 32, 16):
        p = types.intp(0)
        while length >= 16:
            for i in range(16):
                here[i] = starts[first + half + i] + p
                there[i] = (p + i) * 32 + half
            transpose(flat, here, lanes, there)
            if p + 16 == length:
                break
            p = min(p + 16, length - 16)  # the last 16 overlap with those before
        if length < 16:
            for i in range(16):
                for q in range(length):
                    lanes[q * 32 + half + i] = flat[starts[first + half + i] + q]


@njit(nogil=True)
def drop_rows(values: Any, at: int, count: int, number: int, key: int, threshold: int, scale: float) -> None:
    """Dropout in place, where the threshold is not 0, of `count` floats, of which the first has that `number`."""
    if threshold == 0:
        return
    factor = splat(types.float32(scale))
    for v in range(0, count, 16):
        store(values, at + v, drop(load(values, at + v), number + v, key, threshold, factor))

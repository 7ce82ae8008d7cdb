"""Several subsets as one data set: their units side by side, each under the name of its subset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ddrsa.data.labels import Labels
from ddrsa.data.sequences import Sequences

STRIDE = 1_000_000
"""Between the numbers of the units of two subsets: unit 12 of the first is 12, that of the second 1000012."""


def join(parts: Mapping[str, Sequences], order: Sequence[str]) -> Sequences:
    """The units of all `parts`, by the name of the subset; a unit is called FD001/12.

    order: all subsets, of which `parts` may lack some. The place there gives the units their numbers, which are those
    of the subset alone for the first. Groups, where there are any, are not joined with those of another subset. All
    must have the same features; rows have no times.
    """
    shifts = {name: order.index(name) * STRIDE for name in parts}
    features = {each.feature_names for each in parts.values()}
    assert len(features) == 1, "all subsets have the columns of one text format"
    shifted = [(each, shifts[name]) for name, each in parts.items()]
    grouped = any(each.group is not None for each in parts.values())
    return Sequences(
        np.concatenate([each.features for each in parts.values()]),
        np.concatenate([each.unit + shift for each, shift in shifted]),
        np.concatenate([each.time_to_event for each in parts.values()]),
        np.concatenate([each.event_observed for each in parts.values()]),
        features.pop(),
        np.concatenate([(each.unit if each.group is None else each.group) + shift for each, shift in shifted])
        if grouped
        else None,
        Labels(tuple(f"{name}/{title}" for name, each in parts.items() for title in each.unit_titles)),
    )


def units_of(unit_ids: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    """Those of the units (U,) that lie in the subset at `place` of the order."""
    return unit_ids[unit_ids // STRIDE == place]

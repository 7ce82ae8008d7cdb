"""Numbers in the event files of TensorBoard: the last of each tag."""

from __future__ import annotations

from pathlib import Path

from ddrsa.rundir.finite import finite
from ddrsa.scripts.results.numbers import Numbers


def read_event_numbers(path: Path) -> Numbers:
    """The last value of each scalar tag. Raises OSError, ValueError, and ModuleNotFoundError without tensorboard."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(path), size_guidance={"scalars": 1, "tensors": 1})
    events.Reload()
    found = Numbers()
    tags = events.Tags()
    if not any(tags.values()):
        raise ValueError("it has no event that can be read")
    for tag in tags["scalars"]:
        found.results[tag] = finite(events.Scalars(tag)[-1].value)
    for tag in tags["tensors"]:  # as TensorFlow 2 writes scalars
        value = make_ndarray(events.Tensors(tag)[-1].tensor_proto)
        if value.size == 1 and value.dtype.kind in "fiu":
            found.results[tag] = finite(float(value.item()))
    return found

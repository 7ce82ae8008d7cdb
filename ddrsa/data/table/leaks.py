"""Features that tell the event itself."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.ticks import Times

log = logging.getLogger(__name__)


def warn_of_leaks(
    features: pd.DataFrame, life: NDArray[np.int64], time_to_event: NDArray[Any], observed: NDArray[np.bool_]
) -> None:
    """Warn of a feature that is the remaining life, the flag of the event, or the number of the row.

    features: N rows. life, time_to_event, observed: (N,) of the rows. No model that reads such a feature can be used:
    where it is wanted, the value is not known yet, or has nothing to do with the wear.
    """
    known = time_to_event[observed]
    if len(known) < 3 or not (known > 0).any():
        return
    first = np.flatnonzero(np.append(True, np.diff(life) != 0))
    lives = len(first)
    whole = (time_to_event[first] + 1)[np.searchsorted(first, np.flatnonzero(observed), side="right") - 1]
    for column in features:
        values = features[column].to_numpy(np.float64)
        what = _what_it_tells(values, values[observed], known, whole, lives)
        if what is not None:
            log.warning("feature %s %s; name it in dataset.exclude_columns", column, what)


def _what_it_tells(
    values: NDArray[np.float64], of_known: NDArray[np.float64], known: NDArray[Any], whole: NDArray[Any], lives: int
) -> str | None:
    """What a feature tells of the event; None where it is a measurement.

    values: (N,) of all rows. of_known, known, whole: the feature, the time to event and the length of the life in the
    rows whose event was seen.
    """
    ahead, at_event = known > 0, known == 0
    ratio = of_known[ahead] / known[ahead]
    if ratio[0] != 0 and np.allclose(of_known, ratio[0] * known, rtol=1e-5, atol=1e-9 * np.abs(of_known).max()):
        return "is the remaining life itself"
    if lives < 2:
        return None
    if ((of_known != 0) == at_event).all():
        return "is not 0 in the row of the event alone: it tells the event itself"
    if ((of_known == 0) == at_event).all():
        return "is 0 in the row of the event alone: it tells the event itself"
    if (np.diff(values) == 1).all():
        return "is the number of the row"
    # Where lives are equally long, an age is linear in what is left of them.
    if len(np.unique(whole)) > 2:
        if _linear(of_known, whole):
            return "is the length of the life, which is known only at its end"
        shares = known / whole, known / np.maximum(whole - 1, 1), (known + 1) / whole
        if any(_linear(of_known, share) for share in shares):
            return "is the share of the life that is left or gone, which is known only at its end"
    for one, others in ((of_known[at_event], of_known[ahead]), (of_known[ahead], of_known[at_event])):
        if len(one) > 2 and len(others) and (one == one[0]).all() and not (others == one[0]).any():
            return "has one value in the rows of the events, or in all but them, and no other row has it: it tells them"
    return None


def _linear(values: NDArray[np.float64], told: NDArray[Any]) -> bool:
    """Whether values are a + b * told, but for rounding, and not a constant."""
    low, high = int(told.argmin()), int(told.argmax())
    rise = values[high] - values[low]
    if rise == 0 or told[high] == told[low]:
        return False
    for rows in (slice(None, None, max(1, len(values) // 64)), slice(None)):  # a few first: nearly always they tell
        line = values[low] + (told[rows] - told[low]) * (rise / (told[high] - told[low]))
        if not np.allclose(values[rows], line, rtol=0, atol=1e-3 * abs(rise)):
            return False
    return True


def is_remaining_life(values: NDArray[np.float64], ticks: NDArray[Any], unit: NDArray[Any]) -> bool:
    """Whether a column falls by as much as the time rises, in rows sorted by unit and time."""
    same = unit[1:] == unit[:-1]
    falls, rises = -np.diff(values)[same], np.diff(ticks)[same].astype(np.float64)
    if not len(falls) or not (falls > 0).all():
        return False
    ratio = np.median(falls / rises)
    return bool(np.allclose(falls, ratio * rises, rtol=1e-3))


def falls(unit: pd.Series, times: Times) -> bool:
    """Whether the times fall from each row to the next one of its unit, in the order of the files."""
    order = np.argsort(pd.factorize(unit)[0], kind="stable")
    names = unit.to_numpy()[order]
    steps = np.diff(times.ticks[order])[names[1:] == names[:-1]]
    return bool(len(steps) > 1 and (steps < 0).all())

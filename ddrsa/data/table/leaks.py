"""Features that tell the event itself."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    for column in features:
        values = features[column].to_numpy(np.float64)
        of_known = values[observed]
        ratio = of_known[known > 0] / known[known > 0]
        if ratio[0] != 0 and np.allclose(of_known, ratio[0] * known, rtol=1e-5, atol=1e-9 * np.abs(of_known).max()):
            what = "is the remaining life itself"
        elif len(np.unique(life)) > 1 and ((of_known != 0) == (known == 0)).all():
            what = "is not 0 in the row of the event alone: it tells the event itself"
        elif len(np.unique(life)) > 1 and ((of_known == 0) == (known == 0)).all():
            what = "is 0 in the row of the event alone: it tells the event itself"
        elif len(np.unique(life)) > 1 and (np.diff(values) == 1).all():
            what = "is the number of the row"
        else:
            continue
        log.warning("feature %s %s; name it in dataset.exclude_columns", column, what)


def is_remaining_life(values: NDArray[np.float64], ticks: NDArray[Any], unit: NDArray[Any]) -> bool:
    """Whether a column falls by as much as the time rises, in rows sorted by unit and time."""
    same = unit[1:] == unit[:-1]
    falls, rises = -np.diff(values)[same], np.diff(ticks)[same].astype(np.float64)
    if not len(falls) or not (falls > 0).all():
        return False
    ratio = np.median(falls / rises)
    return bool(np.allclose(falls, ratio * rises, rtol=1e-3))

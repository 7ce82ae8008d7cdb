"""Numbers by which sensors and their systems say that they have no value."""

from __future__ import annotations

import logging

import pandas as pd

from ddrsa.texts import count_of

log = logging.getLogger(__name__)

CODES = (
    *(-99, -999, -9999, -99999, 999, 9999, 99999, 999999, -1),
    *(-32768, 32767, 65535, -3276.8, 3276.7, 6553.5, -(2**31), 2**31 - 1, 2**32 - 1),
    *(1e30, -1e30, 1e31, -1e31, 1e36, -1e37, -1e38, 9.96921e36, 3.4028234663852886e38, -3.4028234663852886e38),
)
FAR = 10
"""Of the width of the other values: so far off a code is one although it stands there once."""


def codes_in(values: pd.Series) -> list[float]:
    """The codes that lie far from all other values, in one row or in several."""
    known = values.dropna()
    found = [code for code in CODES if ((known == code).any())]
    others = known[~known.isin(found)]
    if len(others) < 2 or others.nunique() < 2:
        return []
    low, high = float(others.min()), float(others.max())
    width = high - low

    def is_far(code: float) -> bool:
        widths = 1 if (known == code).sum() > 1 else FAR
        return not low - widths * width <= code <= high + widths * width

    return [code for code in found if is_far(code)]


def shown_code(code: float) -> str:
    """A code with all its digits, as `dataset.missing_values` takes it."""
    return str(int(code)) if abs(code) < 1e15 and code == int(code) else repr(code)


def warn_of_codes(column: str, values: pd.Series) -> None:
    """Warn of codes among the values of a column."""
    for code in codes_in(values):
        log.warning(
            "%s is %s in %s, far from its other values: dataset.missing_values=['%s'] if it means that there is "
            "no value", column, shown_code(code), count_of((values == code).sum(), "row"),
            shown_code(code)
        )  # fmt: skip

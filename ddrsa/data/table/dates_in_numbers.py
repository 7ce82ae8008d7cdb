"""Numbers that may be dates: since 1970, as Excel counts days, or day, month and year without marks."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd

from ddrsa.data.table.ticks import Times
from ddrsa.data.table_options import EPOCHS, EXCEL_DAYS

log = logging.getLogger(__name__)


def format_of_numbers(column: str, times: Times) -> str | None:
    """The format by which numbers may be dates from 2000 to 2100; None where they cannot.

    Days of Excel are few enough for any counter, so the name of the column, or the fraction that a clock makes, tells.
    """
    low, high = times.ticks.min() / 10.0**times.digits, times.ticks.max() / 10.0**times.digits
    for form, power in EPOCHS.items():
        if 9.5e8 * 10**power <= low <= high <= 4.2e9 * 10**power:
            return form
    clocked = times.digits >= 5 or times.ticks.dtype == np.float64
    if 36_526 <= low <= high <= 73_051 and (clocked or re.search("dat(e|um)|stamp|stempel", column, re.IGNORECASE)):
        return EXCEL_DAYS
    return None


_FORMS_OF_DIGITS = {8: ("%d%m%Y", "%m%d%Y"), 6: ("%y%m%d", "%d%m%y"), 10: ("%y%m%d%H%M",), 12: ("%y%m%d%H%M%S",)}


def forms_of_digits(times: Times) -> list[str]:
    """The formats without marks, such as %y%m%d, by which whole numbers may be dates from 1990 to 2059."""
    if times.digits or times.ticks.dtype != np.int64 or len(distinct := np.unique(times.ticks)) < 3 or distinct[0] < 0:
        return []
    digits = len(str(distinct[-1])) + len(str(distinct[-1])) % 2
    found = []
    for form in _FORMS_OF_DIGITS.get(digits, ()):
        dates = pd.to_datetime(
            pd.Series([f"{tick:0{digits}}" for tick in distinct.tolist()]), format=form, errors="coerce"
        )
        if dates.notna().all() and dates.dt.year.between(1990, 2059).all():
            found.append(form)
    return found


def hint_at_dates(column: str, times: Times, key: str) -> None:
    """Say that numbers may be dates, and what reads them. key: of the dataset, that says the format."""
    form = format_of_numbers(column, times)
    if form is not None:
        since = "days as Excel counts them" if form == EXCEL_DAYS else "numbers since 1970"
        log.warning("column %s may be dates: dataset.%s=%s reads %s", column, key, form, since)
    for form in forms_of_digits(times)[:1]:
        log.warning("column %s may be dates: dataset.%s=%s reads them", column, key, form)

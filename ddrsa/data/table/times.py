"""Times of rows and events, read: numbers or dates."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.dates import local_dates, parse_dates
from ddrsa.data.table.dates_in_numbers import hint_at_dates
from ddrsa.data.table.source import Table
from ddrsa.data.table.ticks import NANOSECONDS, Times
from ddrsa.data.table.values import texts, with_plain_marks
from ddrsa.data.table_options import EPOCHS, EXCEL_DAYS, TableOptions
from ddrsa.errors import ConfigError

log = logging.getLogger(__name__)


_DECIMAL = re.compile(r"[+-]?(\d+)(?:\.(\d+))?")


def read_times(table: Table, column: str, options: TableOptions, key: str = "date_format") -> Times:
    """The times of a column. Raises DataError where one is missing or is neither a number nor a date.

    key: of the dataset, that says their format, for messages.
    """
    values = table.frame[column]
    written = None
    if values.dtype == object or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
        written = texts(values)
        table.require(column, written.notna(), ", a time is expected")
    else:
        table.require(column, values.notna(), ", a time is expected")
    form = options.date_format
    if values.dtype.kind == "m":
        log.info("column %s has durations, which are read as seconds", column)
        return Times(values.dt.as_unit("ns").to_numpy().view(np.int64), NANOSECONDS, False)
    if form in EPOCHS:
        found = _since_1970(_number_times(table, column, values, written, options), EPOCHS[form], options)
        first, last = (pd.Timestamp(int(tick)).year for tick in (found.ticks.min(), found.ticks.max()))
        if not 1980 <= first <= last <= 2099:
            log.warning("column %s: dataset.%s=%s makes dates of the years %d to %d", column, key, form, first, last)
        return found
    if form == EXCEL_DAYS and not values.map(lambda cell: isinstance(cell, datetime)).all():
        return _days_of_excel(table, column, _number_times(table, column, values, written, options), options)
    is_date = values.dtype.kind == "M" or isinstance(values.dtype, pd.DatetimeTZDtype)
    if not is_date and form in (None, "number"):
        compact = written is not None and form is None and _are_compact_dates(written)
        if written is None and form is None and values.dtype.kind in "iu" and _are_compact_dates(values.astype(str)):
            written, compact = values.astype(str), True
        if compact:
            log.warning(
                "column %s has dates such as %s; dataset.%s=number takes them for numbers",
                column, written.iloc[0] if written is not None else "", key,
            )  # fmt: skip
        elif written is None or form == "number" or _are_numbers(written, options):
            times = _number_times(table, column, values, written, options)
            hint_at_dates(column, times, key)
            return times
    if not is_date and written is None:
        written = texts(values)
    dates, zone = parse_dates(table, column, written, options, key)
    return Times(dates, NANOSECONDS, True, zone)


_NUMERIC = r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?"
_COMPACT = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])[0-5]\d([0-5]\d(\d{3}|\d{6})?)?)?"


def _are_numbers(written: pd.Series, options: TableOptions) -> bool:
    """Whether all are numbers, if not by the marks of the options then by other ones."""
    plain = with_plain_marks(written, options)
    return bool((plain.notna() & plain.str.fullmatch(_NUMERIC)).all() or written.str.fullmatch(_NUMERIC).all())


def _are_compact_dates(written: pd.Series) -> bool:
    """Whether all are such as 20240601, 202406011530, 20240601153000, or with three or six digits of a second more."""
    return bool(written.str.fullmatch(_COMPACT).all())


def _number_times(
    table: Table, column: str, values: pd.Series, written: pd.Series | None, options: TableOptions
) -> Times:
    if written is not None:
        plain = with_plain_marks(written, options)
        table.require(column, plain.notna(), ", numbers with the marks of dataset.decimal and thousands are expected")
        written = plain
        matches = written.str.extract(_DECIMAL)
        if written.str.fullmatch(_DECIMAL.pattern).all():
            digits = int(matches[1].str.rstrip("0").str.len().max()) if matches[1].notna().any() else 0
            scaled = [int(Decimal(text).scaleb(digits)) for text in written]
            if max(map(abs, scaled)) < 2**63:
                return Times(np.array(scaled, dtype=np.int64), digits, False)
        values = pd.to_numeric(written, errors="coerce")
    elif values.dtype.kind == "i" or (values.dtype.kind == "u" and values.max() < 2**63):
        return Times(values.to_numpy(np.int64), 0, False)
    floats = values.to_numpy(np.float64, na_value=np.nan) if values.dtype.kind not in "fiu" else values.to_numpy(float)
    table.require(column, np.isfinite(floats), ", numbers or dates such as 2015-01-31 06:00:00 are expected")
    return _decimals(floats)


def _decimals(values: NDArray[np.float64]) -> Times:
    """Floats as the decimals that they were made of, where they have no more than nine digits behind the point."""
    for digits in range(10):
        scaled = values * 10.0**digits
        if np.abs(scaled).max(initial=0) >= 2**53:
            break
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= 2 * np.spacing(np.abs(scaled))).all():
            return Times(whole.astype(np.int64), digits, False)
    return Times(values, 0, False)


def _since_1970(times: Times, power: int, options: TableOptions) -> Times:
    zone = options.time_zone or "UTC"
    exponent = NANOSECONDS - power - times.digits
    if times.ticks.dtype == np.int64:
        if exponent < 0:
            ticks = times.ticks // 10**-exponent
        elif int(np.abs(times.ticks).max()) * 10**exponent < 2**63:
            ticks = times.ticks * 10**exponent
        else:
            raise ConfigError(f"dataset.date_format={options.date_format}: {times.shown(0)} is beyond the year 2262")
        return Times(ticks, NANOSECONDS, True, zone)
    if np.abs(times.ticks).max() * 10.0**exponent >= 2**63:
        raise ConfigError(f"dataset.date_format={options.date_format}: {times.shown(0)} is beyond the year 2262")
    return Times(np.rint(times.ticks * 10.0**exponent).astype(np.int64), NANOSECONDS, True, zone)


def _days_of_excel(table: Table, column: str, times: Times, options: TableOptions) -> Times:
    """Days as Excel counts them, 45123.5, to the millisecond, which is as exact as they are."""
    days = times.ticks / 10.0**times.digits
    # Before March 1900 Excel has a day that never was; datetime64[ns] ends in 2262.
    table.require(column, (days >= 61) & (days < 132_000), ", a number of days as Excel counts them, is expected")
    dates = pd.Series(np.datetime64("1899-12-30") + np.rint(days * 86_400_000).astype("timedelta64[ms]"))
    ticks, zone = local_dates(table, column, dates, options)
    return Times(ticks, NANOSECONDS, True, zone)

"""Times of rows and events: numbers or dates, as whole numbers of a unit so small that nothing is rounded."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.dates import parse_dates
from ddrsa.data.table.source import Table
from ddrsa.data.table.values import texts, with_plain_marks
from ddrsa.data.table_options import EPOCHS, TableOptions
from ddrsa.errors import ConfigError

log = logging.getLogger(__name__)

NANOSECONDS = 9
"""The digits of dates: their ticks are nanoseconds since 1970, UTC."""

_DECIMAL = re.compile(r"[+-]?(\d+)(?:\.(\d+))?")
_MOST = 2**62


@dataclass(frozen=True, eq=False)
class Times:
    """N times.

    ticks: (N,) int64, in units of 10^-digits seconds (dates) or of the time column; or float64 with `digits` 0, where
    the numbers are no decimals that 64 bits hold. dates: whether they are dates. zone: in which they are shown.
    """

    ticks: NDArray[np.int64] | NDArray[np.float64]
    digits: int
    dates: bool
    zone: str | None = None

    def select(self, rows: Any) -> Times:
        """The times of some rows."""
        return Times(self.ticks[rows], self.digits, self.dates, self.zone)

    def values(self) -> NDArray[Any]:
        """As `Labels` has them: datetime64[ns], or numbers in units of the time column."""
        if self.dates:
            return self.ticks.astype(np.int64).view("datetime64[ns]")
        return self.ticks if self.digits == 0 else np.round(self.ticks / 10.0**self.digits, self.digits)

    def length(self, ticks: float) -> float:
        """A difference in seconds (dates) or units of the time column."""
        return float(ticks / 10**self.digits)

    def shown(self, row: int) -> str:
        """A time for a message, with all its digits; dates in their zone."""
        if self.dates:
            date = pd.Timestamp(int(self.ticks[row]))
            if self.zone is not None:
                date = date.tz_localize("UTC").tz_convert(self.zone)
            return str(date.isoformat(sep=" "))
        value = self.ticks[row].item()
        return f"{value}" if self.digits == 0 else f"{Decimal(value).scaleb(-self.digits).normalize():f}"

    def shown_length(self, ticks: float) -> str:
        """A difference for a message."""
        if not self.dates:
            return f"{self.length(ticks):g}"
        seconds = self.length(ticks)
        return f"{seconds:g} s" if seconds < 60 else str(pd.Timedelta(seconds=seconds)).removeprefix("0 days ")

    def as_fine_as_possible(self) -> Times:
        """The same times with more digits, as many as 64 bits have room for."""
        for digits in range(NANOSECONDS, self.digits, -1):
            finer = self.with_digits(digits)
            if finer.digits == digits:
                return finer
        return self

    def with_digits(self, digits: int) -> Times:
        """The same times with at least so many digits; floats where 64 bits do not hold them."""
        more = digits - self.digits
        if more <= 0 or self.ticks.dtype == np.float64:
            return self
        if len(self.ticks) and int(np.abs(self.ticks).max()) * 10**more >= _MOST:
            return Times(self.ticks / 10.0**self.digits, 0, self.dates, self.zone)
        return Times(self.ticks * 10**more, digits, self.dates, self.zone)


def aligned(first: Times, second: Times) -> tuple[Times, Times]:
    """Two series of times with the same digits.

    Raises ConfigError where only one of them has dates, or only one of them names its zone.
    """
    if first.dates != second.dates:
        raise ConfigError("the times of the rows and those of the events must both be dates, or both be numbers")
    if (first.zone is None) != (second.zone is None):
        named, other = ("rows", "events") if second.zone is None else ("events", "rows")
        raise ConfigError(
            f"the times of the {named} name their zone and those of the {other} do not: dataset.time_zone, such as "
            "Europe/Berlin or UTC, says in which they are"
        )
    digits = max(first.digits, second.digits)
    first, second = first.with_digits(digits), second.with_digits(digits)
    if first.ticks.dtype != second.ticks.dtype or first.digits != second.digits:
        return _floats(first), _floats(second)
    return first, second


def _floats(times: Times) -> Times:
    return Times(times.ticks / 10.0**times.digits, 0, times.dates, times.zone)


def read_times(table: Table, column: str, options: TableOptions) -> Times:
    """The times of a column. Raises DataError where one is missing or is neither a number nor a date."""
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
        return _since_1970(_number_times(table, column, values, written, options), EPOCHS[form], options)
    is_date = values.dtype.kind == "M" or isinstance(values.dtype, pd.DatetimeTZDtype)
    if not is_date and form in (None, "number"):
        compact = written is not None and form is None and _are_compact_dates(written)
        if written is None and form is None and values.dtype.kind in "iu" and _are_compact_dates(values.astype(str)):
            written, compact = values.astype(str), True
        if compact:
            log.warning(
                "column %s has dates such as %s; dataset.date_format=number takes them for numbers",
                column, written.iloc[0] if written is not None else "",
            )  # fmt: skip
        elif written is None or form == "number" or _are_numbers(written, options):
            times = _number_times(table, column, values, written, options)
            _hint_at_dates(column, times)
            return times
    if not is_date and written is None:
        written = texts(values)
    dates, zone = parse_dates(table, column, written, options)
    return Times(dates, NANOSECONDS, True, zone)


_NUMERIC = r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?"
_COMPACT = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])[0-5]\d([0-5]\d)?)?"


def _are_numbers(written: pd.Series, options: TableOptions) -> bool:
    """Whether all are numbers, if not by the marks of the options then by other ones."""
    plain = with_plain_marks(written, options)
    return bool((plain.notna() & plain.str.fullmatch(_NUMERIC)).all() or written.str.fullmatch(_NUMERIC).all())


def _are_compact_dates(written: pd.Series) -> bool:
    """Whether all are such as 20240601, 202406011530 or 20240601153000."""
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


def epoch_format(times: Times) -> str | None:
    """The format of `EPOCHS` by which numbers are dates from 2000 to 2100; None where they are not."""
    low, high = times.ticks.min() / 10.0**times.digits, times.ticks.max() / 10.0**times.digits
    for form, power in EPOCHS.items():
        if 9.5e8 * 10**power <= low <= high <= 4.2e9 * 10**power:
            return form
    return None


def _hint_at_dates(column: str, times: Times) -> None:
    form = epoch_format(times)
    if form is not None:
        log.warning("column %s may be dates: dataset.date_format=%s reads numbers since 1970", column, form)
    elif times.digits == 0 and times.ticks.dtype == np.int64 and len(distinct := np.unique(times.ticks)) > 2:
        for form in ("%d%m%Y", "%m%d%Y"):
            written = pd.Series([f"{tick:08}" for tick in distinct.tolist()])
            dates = pd.to_datetime(written, format=form, errors="coerce")
            if dates.notna().all() and dates.dt.year.between(1950, 2100).all():
                log.warning("column %s may be dates: dataset.date_format=%s reads them", column, form)
                return

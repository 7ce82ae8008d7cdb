"""Times as whole numbers of a unit so small that nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.errors import ConfigError

NANOSECONDS = 9
"""The digits of dates: their ticks are nanoseconds since 1970, UTC."""

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
        raise ConfigError(
            "the times of the rows and those of the events must both be dates, or both be numbers; "
            "dataset.date_format and dataset.events_date_format say how numbers are dates, such as epoch_s"
        )
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

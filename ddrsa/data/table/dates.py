"""Dates, however a file writes them. One that can be read in two ways is refused."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.source import Table
from ddrsa.data.table_options import TableOptions

log = logging.getLogger(__name__)

# Day, month and year; the first fitting way of each line is taken, and more than one line that fits is a question.
_DAYS = (
    ("%d.%m.%Y", "%d.%m.%y"),
    ("%m/%d/%Y", "%m/%d/%y"),
    ("%d/%m/%Y", "%d/%m/%y"),
    ("%m-%d-%Y", "%m-%d-%y"),
    ("%d-%m-%Y", "%d-%m-%y"),
    ("%Y/%m/%d",),
    ("%Y.%m.%d",),
    ("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d/%b/%Y", "%d %B %Y", "%d-%B-%Y"),
    ("%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
)
_CLOCK = re.compile(
    r"(?P<between>, |T| )\d{1,2}:\d\d(?P<seconds>:\d\d)?(?P<fraction>\.\d+)?(?P<half> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|[+-]\d\d:?\d\d))?$"
)
_CLOCK_WITH_OFFSET = r"\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?\s*(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
# CET, PST and their like; not AM, PM, and not the Z of UTC.
_LETTERS = r"\d:\d\d(?:[.,]\d+)? ?(?!UTC$|GMT$|[AaPp][Mm]$)[A-Z]{2,5}$"
_FINER = re.compile(r"[.,]\d{9}\d*[1-9]")
# Behind the time, as Java writes it (06:00+02:00[Europe/Berlin]), or alone.
_NAME_OF_ZONE = r"(?:\[([^\[\]]+)\]|(?<=\d) ?([A-Z]\w+(?:/[A-Z][\w+-]+)+))$"


def parse_dates(
    table: Table, column: str, written: pd.Series | None, options: TableOptions, key: str = "date_format"
) -> tuple[NDArray[np.int64], str | None]:
    """(N,) nanoseconds since 1970 (UTC where no zone is known), and the zone in which the dates are shown.

    written: the cells as texts, None where the column has dates already. key: of the dataset, that says their format.
    Raises DataError where one is no date, or could be read as two, or its hour is there twice.
    """
    if written is not None:
        written, options = _without_names_of_zones(table, column, written, options)
    own = ""  # the zone that the dates have themselves
    if written is None:
        dates = table.frame[column]
        if dates.dt.tz is not None:
            own = str(dates.dt.tz)
            dates = dates.dt.tz_convert("UTC").dt.tz_localize(None)
        offsets = pd.Series(bool(own), index=dates.index)
    else:
        table.require(column, ~written.str.contains(_FINER), ", at most nine digits of a second can be read")
        table.require(
            column, ~written.str.contains(_LETTERS), ", a zone by its letters, which several places use: times with an "
            "offset such as +02:00 are expected, or without one and dataset.time_zone",
        )  # fmt: skip
        offset = written.str.extract(_CLOCK_WITH_OFFSET)[0]
        offsets = offset.notna()
        own = _common_offset(offset) if offsets.all() else ""
        if offsets.any() and not offsets.all():
            row = int((offsets != offsets.iloc[0]).to_numpy().argmax())
            raise table.error(
                column, row, f", with{'out' * (not offsets[row])} a time zone, and other rows are not so: "
                "they cannot be compared",
            )  # fmt: skip
        dates = _parsed(table, column, written, options, key)
    zone = options.time_zone
    if offsets.any():
        return _nanoseconds(table, column, dates), zone or own or "UTC"
    return local_dates(table, column, dates, options)


def local_dates(
    table: Table, column: str, dates: pd.Series, options: TableOptions
) -> tuple[NDArray[np.int64], str | None]:
    """(N,) nanoseconds since 1970 of dates that name no zone, and that of `dataset.time_zone`, in which they are."""
    if options.time_zone is not None:
        dates = _localized(table, column, dates, options.time_zone, options)
    return _nanoseconds(table, column, dates), options.time_zone


def _nanoseconds(table: Table, column: str, dates: pd.Series) -> NDArray[np.int64]:
    try:
        return dates.dt.as_unit("ns").to_numpy().view(np.int64)
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        years = dates.dt.year
        row = int(((years < 1678) | (years > 2261)).to_numpy().argmax())
        raise table.error(column, row, ", a date from 1678 to 2261 is expected") from None


def _common_offset(offsets: pd.Series) -> str:
    found = offsets.str.upper().unique()
    offset = found[0].replace(":", "") if len(found) == 1 else ""
    if len(found) != 1 or offset.strip("Z+-0") in ("", "UTC", "GMT"):
        return "UTC"
    return f"UTC{offset[0]}{offset[1:3]}:{offset[3:5] or '00'}"


def _without_names_of_zones(
    table: Table, column: str, written: pd.Series, options: TableOptions
) -> tuple[pd.Series, TableOptions]:
    """The texts without a name such as [Europe/Berlin] behind the time, and the options with that time zone."""
    found = written.str.extract(_NAME_OF_ZONE)
    names = found[0].fillna(found[1])
    distinct = names.dropna().unique()
    if not len(distinct):
        return written, options
    for name in distinct:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            table.require(column, names != name, f", where {name!r} is no time zone such as Europe/Berlin")
    table.require(column, names.notna(), ", without a time zone, and other rows are not so: they cannot be compared")
    plain = written.str.replace(_NAME_OF_ZONE, "", regex=True)
    if len(distinct) == 1:
        return plain, options if options.time_zone is not None else replace(options, time_zone=distinct[0])
    offset = plain.str.contains(_CLOCK_WITH_OFFSET.replace("(Z|", "(?:Z|"))
    table.require(
        column, offset, ", and other rows are of another zone: times with an offset such as +02:00 are expected"
    )
    return plain, options


def _parsed(table: Table, column: str, written: pd.Series, options: TableOptions, key: str) -> pd.Series:
    """Dates without a zone: UTC where the texts have offsets."""
    form = options.date_format
    if form is not None and "%" in form:
        dates = pd.to_datetime(written, format=form, errors="coerce", utc=True)
        table.require(column, dates.notna(), f", a date such as {_example(form)} is expected (dataset.{key})")
        return dates.dt.tz_localize(None)
    written = written.str.replace(r"(?<=\d) ?(?:UTC|GMT)$", "Z", regex=True)
    # ISO 8601 has a form without marks, which pandas reads as a date alone where there is no T.
    iso = written.str.replace(r"^(\d{8})[ T]?(\d{4}|\d{6})$", r"\1T\2", regex=True)
    iso = iso.str.replace(r"^(\d{8})[ T]?(\d{6})[.,]?(\d{3}|\d{6})$", r"\1T\2.\3", regex=True)
    iso = iso.str.replace(r"(:\d\d),(\d+)", r"\1.\2", regex=True)
    dates = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    if dates.notna().all() or form == "iso":
        table.require(column, dates.notna(), ", a date such as 2015-01-31 06:00:00 is expected")
        return dates.dt.tz_localize(None)
    ways = [way for days in _DAYS if (way := _way(written, days)) is not None]
    distinct = [way for n, way in enumerate(ways) if not any(way[1].equals(other[1]) for other in ways[:n])]
    if len(distinct) > 1:
        forms = " or ".join(f"'dataset.{key}={form}'" for form, _ in distinct)
        first = int((distinct[0][1] != distinct[1][1]).to_numpy().argmax())
        raise table.error(
            column, first,
            f", which can be {distinct[0][1].iloc[first].date()} or {distinct[1][1].iloc[first].date()}: one of "
            f"{forms} says which",
        )  # fmt: skip
    if distinct:
        log.info("the dates of column %s are read as %s", column, distinct[0][0])
        return distinct[0][1]
    # The first that the way of the most does not read is the one to name.
    best = max((_attempt(written, days) for days in _DAYS), key=lambda found: int(found.notna().sum()), default=dates)
    numbers = pd.to_numeric(written, errors="coerce")
    # Numbers alone are no dates here: the caller wants them named all the same.
    best = max((dates, best), key=lambda found: int(found.notna().sum()))
    best = numbers if best.notna().sum() < numbers.notna().sum() < len(numbers) else best
    table.require(
        column, best.notna(), ", numbers or dates such as 2015-01-31 06:00:00 are expected; another way to write them "
        f"is named by dataset.{key}, such as %d.%m.%Y %H.%M",
    )  # fmt: skip
    raise AssertionError("a way that reads everything was found before")


def _way(written: pd.Series, days: tuple[str, ...]) -> tuple[str, pd.Series] | None:
    """The dates, and the format of the first, where one of `days` reads all of them, with any clock behind it."""
    for day in days:
        form = _form(written.iloc[0], day)
        if form is not None and (found := _attempt(written, (day,))).notna().all():
            return form, found
    return None


def _form(text: str, day: str) -> str | None:
    """The format that reads a text, with this format of its day and the clock that it shows."""
    clock = _CLOCK.search(text)
    try:
        datetime.strptime(text[: clock.start()] if clock else text, day)
    except ValueError:
        return None
    if clock is None:
        return day
    between, seconds, fraction, half, zone = clock.group("between", "seconds", "fraction", "half", "zone")
    form = f"{day}{between}{'%I' if half else '%H'}:%M{':%S' if seconds else ''}{'.%f' if fraction else ''}"
    if half:
        form += " %p" if half.startswith(" ") else "%p"
    return form + ("" if not zone else " %z" if zone.startswith(" ") else "%z")


def _attempt(written: pd.Series, days: tuple[str, ...]) -> pd.Series:
    """The dates that a format with one of `days` reads, NaT elsewhere; rows may have other clocks, or none."""
    found = pd.Series(pd.NaT, index=written.index, dtype="datetime64[ns, UTC]")
    for day in days:
        while (rest := found.isna()).any():
            form = next((form for text in written[rest].iloc[:1] if (form := _form(text, day))), None)
            if form is None:
                break
            dates = pd.to_datetime(written[rest], format=form, errors="coerce", utc=True).dt.as_unit("ns")
            if dates.isna().iloc[0]:  # such as 13:00 PM
                break
            found[rest] = dates
    return found.dt.tz_localize(None)


def _example(form: str) -> str:
    return pd.Timestamp("2015-01-31 06:00:00").strftime(form)


def _localized(table: Table, column: str, dates: pd.Series, zone: str, options: TableOptions) -> pd.Series:
    """Local times of a zone in UTC. In the hour that is there twice the order of a unit's rows tells which is which."""
    there = dates.dt.tz_localize(zone, ambiguous=True, nonexistent="NaT")
    if there.isna().any():
        raise table.error(column, int(there.isna().to_numpy().argmax()), f", an hour that {zone} leaves out")
    twice = dates.dt.tz_localize(zone, ambiguous="NaT").isna()
    if twice.any():
        units = table.frame[options.unit_column] if options.unit_column in table.columns else pd.Series("", dates.index)
        for _, rows in dates[units.isin(units[twice].unique())].groupby(units, sort=False):
            try:
                there[rows.index] = rows.dt.tz_localize(zone, ambiguous="infer")
            except ValueError:
                row = int(twice[rows.index].idxmax())
                raise table.error(
                    column, row, f", an hour that {zone} has twice, and the rows beside it do not tell which: times "
                    "with an offset such as +02:00 are expected",
                ) from None  # fmt: skip
    return there.dt.tz_convert("UTC").dt.tz_localize(None)

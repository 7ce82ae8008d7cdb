"""Times as files have them: read exactly, and refused where they can be read in two ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ddrsa.data.sequences import Sequences
from ddrsa.errors import UsageError

Read = Callable[..., Sequences]


def _text(times: list[str], separator: str = ",") -> str:
    rows = (f"A{separator}{time}{separator}{row}\n" for row, time in enumerate(times))
    return f"unit{separator}time{separator}x\n" + "".join(rows)


def _times(sequences: Sequences) -> list[str]:
    assert sequences.labels is not None
    times = sequences.labels.row_times(np.arange(sequences.num_rows))
    assert times is not None
    return [time.isoformat() if isinstance(time, pd.Timestamp) else str(time) for time in times]


@pytest.mark.parametrize(
    ("times", "options", "first", "last", "step"),
    [
        (["01.06.2024 06:00", "01.06.2024 07:00"], {}, "2024-06-01T06:00:00", "2024-06-01T07:00:00", 3600),
        (["01.06.24", "02.06.24"], {}, "2024-06-01T00:00:00", "2024-06-02T00:00:00", 86400),
        (["06/13/2024 11:00 AM", "06/13/2024 12:00 PM", "06/13/2024 1:00 PM"], {}, "2024-06-13T11:00:00",
         "2024-06-13T13:00:00", 3600),
        (["30/04/2024", "01/05/2024"], {}, "2024-04-30T00:00:00", "2024-05-01T00:00:00", 86400),
        (["03/04/2024", "03/05/2024"], {"date_format": "%m/%d/%Y"}, "2024-03-04T00:00:00",
         "2024-03-05T00:00:00", 86400),
        (["01.06.2024", "01.06.2024 12:00", "02.06.2024"], {}, "2024-06-01T00:00:00", "2024-06-02T00:00:00", 43200),
        (["20240228", "20240229", "20240301"], {}, "2024-02-28T00:00:00", "2024-03-01T00:00:00", 86400),
        (["20240228T2300", "20240229T0000"], {}, "2024-02-28T23:00:00", "2024-02-29T00:00:00", 3600),
        (["20240228230000", "20240229000000"], {}, "2024-02-28T23:00:00", "2024-02-29T00:00:00", 3600),
        (["20240228", "20240229"], {"date_format": "number"}, "20240228", "20240229", 1),
        (["1717221600", "1717225200"], {"date_format": "epoch_s"}, "2024-06-01T06:00:00+00:00",
         "2024-06-01T07:00:00+00:00", 3600),
        (["1717221600000", "1717225200000"], {"date_format": "epoch_ms", "time_zone": "Europe/Berlin"},
         "2024-06-01T08:00:00+02:00", "2024-06-01T09:00:00+02:00", 3600),
        (["1717221600000000001", "1717221600000000002"], {"date_format": "epoch_ns"},
         "2024-06-01T06:00:00.000000001+00:00", "2024-06-01T06:00:00.000000002+00:00", 1e-9),
        (["1717221600.1", "1717221600.2"], {"date_format": "epoch_s"}, "2024-06-01T06:00:00.100000+00:00",
         "2024-06-01T06:00:00.200000+00:00", 0.1),
        (["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"], {}, "2024-10-27T00:00:00+00:00",
         "2024-10-27T01:00:00+00:00", 3600),
        (["2024-06-01T01:00+0530", "2024-06-01T02:00+0530"], {}, "2024-06-01T01:00:00+05:30",
         "2024-06-01T02:00:00+05:30", 3600),
        (["2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"],
         {"time_zone": "Europe/Berlin"}, "2024-10-27T01:00:00+02:00", "2024-10-27T03:00:00+01:00", 3600),
        (["2024-03-31 01:30", "2024-03-31 03:00"], {"time_zone": "Europe/Berlin"}, "2024-03-31T01:30:00+01:00",
         "2024-03-31T03:00:00+02:00", 1800),
        (["2024-01-01 00:00:00.000000001", "2024-01-01 00:00:00.000000002"], {}, "2024-01-01T00:00:00.000000001",
         "2024-01-01T00:00:00.000000002", 1e-9),
        ([str(2**53 + 1), str(2**53 + 2)], {}, str(2**53 + 1), str(2**53 + 2), 1),
        (["0.1", "0.2", "0.3"], {}, "0.1", "0.3", 0.1),
        (["1700000000.1", "1700000000.2", "1700000000.3"], {}, "1700000000.1", "1700000000.3", 0.1),
        (["01-Jan-2024", "02-Jan-2024"], {}, "2024-01-01T00:00:00", "2024-01-02T00:00:00", 86400),
        (["2024-01-01 00:00 UTC", "2024-01-01 01:00 UTC"], {}, "2024-01-01T00:00:00+00:00",
         "2024-01-01T01:00:00+00:00", 3600),
        (["999", "1.000", "1.001"], {"decimal": "comma", "thousands": "point"}, "999", "1001", 1),
        (["999,5", "1 000,5"], {"decimal": "comma", "thousands": "space"}, "999.5", "1000.5", 1),
        (["-2", "\u22121", "0"], {}, "-2", "0", 1),
        (["2024-10-27T02:30:00+02:00[Europe/Berlin]", "2024-10-27T02:30:00+01:00[Europe/Berlin]"], {},
         "2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", 3600),
        (["2024-06-01T06:00[Europe/Berlin]", "2024-06-01T07:00[Europe/Berlin]"], {}, "2024-06-01T06:00:00+02:00",
         "2024-06-01T07:00:00+02:00", 3600),
        (["01.06.2024 06:00 Europe/Berlin", "01.06.2024 07:00 Europe/Berlin"], {"time_zone": "UTC"},
         "2024-06-01T06:00:00+00:00", "2024-06-01T07:00:00+00:00", 3600),
        (["2024-06-01T06:00+02:00[Europe/Berlin]", "2024-06-01T06:00+01:00[Europe/London]"], {},
         "2024-06-01T04:00:00+00:00", "2024-06-01T05:00:00+00:00", 3600),
        (["45123.5", "45123.5416666667", "45123.5833333333"], {"date_format": "excel"}, "2023-07-16T12:00:00",
         "2023-07-16T14:00:00", 3600),
        (["45123,5", "45123,5416666667"], {"date_format": "excel", "decimal": "comma", "time_zone": "Europe/Berlin"},
         "2023-07-16T12:00:00+02:00", "2023-07-16T13:00:00+02:00", 3600),
        (["61", "62"], {"date_format": "excel"}, "1900-03-01T00:00:00", "1900-03-02T00:00:00", 86400),
        (["20240601060000250", "20240601060001250"], {}, "2024-06-01T06:00:00.250000", "2024-06-01T06:00:01.250000", 1),
        (["20240601 060000.250000", "20240601 060001.250000"], {}, "2024-06-01T06:00:00.250000",
         "2024-06-01T06:00:01.250000", 1),
        (["2406010600", "2406010700", "2406010800"], {"date_format": "%y%m%d%H%M"}, "2024-06-01T06:00:00",
         "2024-06-01T08:00:00", 3600),
        (["2024-10-05 23:00", "2024-10-06 00:00", "2024-10-06 01:00", "2024-10-06 03:00"],
         {"time_zone": "Australia/Sydney"}, "2024-10-05T23:00:00+10:00", "2024-10-06T03:00:00+11:00", 3600),
        (["2024-04-07 01:00", "2024-04-07 01:30", "2024-04-07 01:30", "2024-04-07 02:00"],
         {"time_zone": "Australia/Lord_Howe"}, "2024-04-07T01:00:00+11:00", "2024-04-07T02:00:00+10:30", 1800),
    ],
)  # fmt: skip
def test_times_are_read_exactly(
    read: Read, times: list[str], options: dict[str, Any], first: str, last: str, step: float
) -> None:
    sequences = read(_text(times, ";"), **options)
    assert sequences.labels is not None
    assert (_times(sequences)[0], _times(sequences)[-1], sequences.labels.step) == (first, last, step)
    assert sequences.features[:, 0].tolist() == list(range(len(times)))


def test_a_comma_before_the_fraction_of_a_second(read: Read) -> None:
    sequences = read(_text(["2024-01-01 00:00:00,5", "2024-01-01 00:00:01,0"], ";"))
    assert _times(sequences)[0] == "2024-01-01T00:00:00.500000"


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        (
            ["03/04/2024", "03/05/2024"],
            {},
            "line 2: column time has '03/04/2024', which can be 2024-03-04 or 2024-04-03",
        ),
        (["06/01/2024 6:00 AM"], {}, "'dataset.date_format=%m/%d/%Y %I:%M %p' or "),
        (["1", "2", "oops", "4"], {}, "line 4: column time has 'oops', numbers or dates such as"),
        (["30/04/2024", "05/30/2024"], {}, "line 3: column time has '05/30/2024', numbers or dates such as"),
        (["01.06.2024", "32.06.2024"], {}, "line 3: column time has '32.06.2024', numbers or dates"),
        (["2024-01-01T00:00Z", "2024-01-01T01:00"], {}, "line 3: .*, without a time zone, and other rows are not so"),
        (["2024-01-01 00:00:00.0000000012"], {}, "line 2: .* at most nine digits of a second"),
        (["3000-01-01"], {}, "line 2: .* a date from 1678 to 2261"),
        (["2024-10-27 02:00"], {"time_zone": "Europe/Berlin"}, "an hour that Europe/Berlin has twice"),
        (["2024-03-31 02:30"], {"time_zone": "Europe/Berlin"}, "an hour that Europe/Berlin leaves out"),
        (["2024-10-27 02:00", "2024-10-27 02:00"], {}, "two different rows .* dataset.time_zone tells the two apart"),
        (
            ["2024-03-31 01:00", "2024-03-31 01:30", "2024-03-31 03:00", "2024-03-31 03:30"],
            {},
            "dataset.time_zone says so",
        ),
        (["2024-01-01"], {"date_format": "%d.%m.%Y"}, "a date such as 31.01.2015 is expected"),
        (["1", "2"], {"date_format": "dd.mm.yyyy"}, "dataset.date_format=dd.mm.yyyy: allowed is null, iso, number"),
        (["1.000", "2.000"], {"decimal": "comma"}, "line 2: column time has '1.000', numbers with the marks of"),
        (["23:00", "00:00"], {"date_format": "%H:%M"}, "dataset.date_format=%H:%M has no year"),
        (["2024-10-27 02:00 CEST", "2024-10-27 02:00 CET"], {}, "line 2: .* a zone by its letters.*dataset.time_zone"),
        (["2024-01-27 02:00 EST"], {"date_format": "%Y-%m-%d %H:%M %Z"}, "line 2: .* a zone by its letters"),
        (
            ["2024-03-31 00:00", "2024-03-31 01:00", "2024-03-31 03:00", "2024-03-31 04:00"],
            {},
            "dataset.time_zone says so",
        ),
        (
            ["2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02"],
            {"time_zone": "Europe/Berlin"},
            r"from 2024-03-31 00:00:00\+01:00 to .*by the clocks of Europe/Berlin a day may have 23 or 25 hours",
        ),
        (["06/13/2024 13:00 PM", "06/13/2024 1:00 PM"], {}, "line 2: column time has '06/13/2024 13:00 PM'"),
        (["06/13/2024 1:00 PM", "06/13/2024 14:00 PM"], {}, "line 3: column time has '06/13/2024 14:00 PM'"),
        (["01.06.2024 06.30"], {}, "line 2: .* is named by dataset.date_format, such as %d.%m.%Y %H.%M"),
        (["2024-01-01T06:00[Mars]"], {}, "line 2: .* where 'Mars' is no time zone such as Europe/Berlin"),
        (
            ["2024-01-01T06:00[UTC]", "2024-01-01T07:00"],
            {},
            "line 3: .* without a time zone, and other rows are not so",
        ),
        (
            ["2024-01-01T06:00[Europe/Berlin]", "2024-01-01T06:00[Asia/Tokyo]"],
            {},
            "line 2: .* are of another zone: times",
        ),
        (["60", "61"], {"date_format": "excel"}, "line 2: column time has '60', a number of days as Excel counts them"),
        (["2024-01-01", "2024-01-02"], {"step": "3600"}, "dataset.step=3600: allowed is a duration of a fixed length"),
        (["2024-01-01"], {"time_zone": "Mars"}, "dataset.time_zone=Mars: allowed is a name such as Europe/Berlin"),
    ],
)
def test_times_that_are_not_sure_are_refused(
    read: Read, times: list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(_text(times), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("digits", "step"), [(1, "100ms"), (2, "10ms"), (3, "1ms"), (6, "1us"), (9, "1ns")])
def test_no_row_falls_into_another_step_when_it_is_resampled(read: Read, digits: int, step: str) -> None:
    start = pd.Timestamp("2024-03-01 10:00:00")
    times = [(start + k * pd.Timedelta(step)).isoformat() for k in range(50)]
    sequences = read(_text(times), step=step)
    assert sequences.features[:, 0].tolist() == list(range(50))
    assert _times(sequences) == [pd.Timestamp(time).isoformat() for time in times]
    numbers = [f"{1_700_000_000 + k / 10**digits:.{digits}f}" for k in range(50)] if digits < 7 else ["0"]
    resampled = read(_text(numbers), step=10.0**-digits)
    assert resampled.features[:, 0].tolist() == list(range(len(numbers)))


@pytest.mark.parametrize(
    ("times", "form"),
    [
        (["1717221600", "1717225200", "1717228800"], "epoch_s"),
        (["1717221600000", "1717225200000"], "epoch_ms"),
        (["01062024", "02062024", "03062024"], "%d%m%Y"),
        (["06012024", "06022024", "06032024", "06132024"], "%m%d%Y"),
        (["240601", "240602", "240603"], "%y%m%d"),
        (["45444.25", "45444.2916666667", "45444.3333333333"], "excel"),
    ],
)
def test_numbers_that_may_be_dates_are_said(
    read: Read, caplog: pytest.LogCaptureFixture, times: list[str], form: str
) -> None:
    if "%" in form:
        times = times[:3]
    assert read(_text(times)).num_rows == len(times)
    said = f"column time may be dates: dataset.date_format={form}"
    # 01062024 is the sixth of January as well as the first of June.
    assert said in caplog.text or (form == "%m%d%Y" and "dataset.date_format=%d%m%Y" in caplog.text)
    assert _times(read(_text(times), date_format=form))[0].startswith("2024-06-01")


def test_durations_of_parquet_are_seconds(read: Read) -> None:
    times = pd.to_timedelta([0, 1.5, 3], unit="h")
    sequences = read(pd.DataFrame({"unit": "A", "time": times, "x": [1, 2, 4]}), name="a.parquet")
    assert _times(sequences) == ["0.0", "5400.0", "10800.0"]
    assert sequences.labels is not None
    assert sequences.labels.step == 5400


def test_a_number_is_no_duration_beside_dates(read: Read) -> None:
    text = "unit,time,x,rest\nA,2024-01-01 00:00,1,1\nA,2024-01-01 01:00,2,0\n"
    with pytest.raises(UsageError, match="line 2: column rest has '1', a duration such as 36h"):
        read(text, time_to_event_column="rest")
    text = text.replace(",1\n", ",1h\n").replace(",0\n", ",0h\n")
    assert read(text, time_to_event_column="rest").time_to_event.tolist() == [1, 0]


def test_dates_of_parquet_keep_their_zone(read: Read) -> None:
    times = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00"]).tz_localize("Europe/Berlin")
    sequences = read(pd.DataFrame({"unit": "A", "time": times, "x": [1, 2]}), name="a.parquet")
    assert _times(sequences)[0] == "2024-01-01T00:00:00+01:00"


def test_a_counter_that_may_be_days_of_excel_is_none_without_a_clock_or_a_name(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    read(_text(["45123", "45124", "45125"]))
    assert "may be dates" not in caplog.text
    read(_text(["45123", "45124", "45125"]).replace("time", "datum"), time_column="datum")
    assert "column datum may be dates: dataset.date_format=excel reads days as Excel counts them" in caplog.text


def test_cells_of_a_workbook_that_are_dates_are_read_whatever_the_format(read: Read) -> None:
    table = pd.DataFrame({"unit": "A", "time": pd.date_range("2024-01-01", periods=3, freq="h"), "x": [1, 2, 4]})
    dates = read(table, name="a.xlsx", date_format="excel")
    assert _times(dates)[-1] == "2024-01-01T02:00:00"
    days = read(table.assign(time=[45292.0, 45292.25, 45292.5]), name="b.xlsx", date_format="excel")
    assert (_times(days)[-1], days.labels and days.labels.step) == ("2024-01-01T12:00:00", 21600)


def test_days_of_the_clocks_that_fall_into_one_step_are_said(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    days = pd.date_range("2024-03-25", periods=14).strftime("%Y-%m-%d").tolist()
    assert read(_text(days), step="1D").num_rows == 14
    assert "by the clocks of" not in caplog.text
    assert read(_text(days), step="1D", time_zone="Europe/Berlin").num_rows == 13
    assert "by the clocks of Europe/Berlin 1 days have 23 or 25 hours, so that two rows may fall into" in caplog.text


def test_numbers_that_fall_in_every_unit_may_be_a_remaining_life(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    read(_text(["3", "2", "1", "0"]))
    assert "column time falls from row to row of every unit: if it is a remaining life" in caplog.text
    caplog.clear()
    read(_text(["2024-01-03", "2024-01-02", "2024-01-01"]))  # the newest first
    assert "falls" not in caplog.text


def test_an_epoch_of_another_unit_is_said(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    read(_text(["1717221", "1717222", "1717223"]), date_format="epoch_s")
    assert "column time: dataset.date_format=epoch_s makes dates of the years 1970 to 1970" in caplog.text

"""Proposals for files that are hard to guess: right, or with a doubt that says what else it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ddrsa.data.proposal.dataset_file import as_text, as_yaml
from ddrsa.data.proposal.propose import propose, try_out
from ddrsa.errors import UsageError


def rows(units: int = 4, length: int = 20, start: str = "2024-06-01", freq: str = "1h") -> pd.DataFrame:
    unit = np.repeat(np.arange(units), length)
    row = np.tile(np.arange(length), units)
    table = pd.DataFrame({"unit": [f"M{number}" for number in unit], "row": row})
    table["when"] = pd.Timestamp(start) + pd.to_timedelta(row * pd.Timedelta(freq))
    table["temp"] = (60 + row + np.random.default_rng(0).normal(0, 1, len(row))).round(2)
    return table.assign(last=(row == length - 1).astype(int))


def written(table: pd.DataFrame, **how: Any) -> str:
    return table.to_csv(index=False, **how)


BASE = rows()
SHORT = BASE[["unit", "when", "temp", "last"]]
EPOCH = BASE["when"].astype("datetime64[s]").astype("int64")
THOUSANDS = (1000 + BASE["row"] * 37).map(lambda value: f"{value:,}")
DAYS = rows(length=11, freq="1D")[["unit", "when", "temp"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A date that all rows share is no time, and another date no category.
        (written(BASE.assign(installed="2020-01-01", seen=BASE["when"])[["unit", "installed", "when", "seen", "temp",
         "last"]]), {"time_column": "when", "exclude_columns": ["installed", "seen"]}),
        (written(SHORT.assign(when=1000 * EPOCH)), {"time_column": "when", "date_format": "epoch_ms"}),
        (written(SHORT.assign(ts=EPOCH).drop(columns="when")), {"time_column": "ts", "date_format": "epoch_s"}),
        # By day and month the rows would lie a month apart and more.
        (written(DAYS.assign(when=DAYS["when"].dt.strftime("%m/%d/%Y"))), {"date_format": "%m/%d/%Y", "step": None}),
        (written(DAYS.assign(when=DAYS["when"].dt.strftime("%d/%m/%Y"))), {"date_format": "%d/%m/%Y", "step": None}),
        # Among columns that commas part, a comma in a number stands between thousands.
        (written(BASE.assign(temp=THOUSANDS)), {"thousands": "comma", "decimal": "-", "columns": "-"}),
        (written(BASE, header=False), {"columns": [f"column_{n}" for n in range(1, 6)], "time_column": "column_3"}),
        ("# SCADA\n# plant, 7\n" + written(SHORT), {"skip_lines": 2, "unit_column": "unit"}),
        ("sep=;\n" + written(SHORT, sep=";"), {"separator": "semicolon", "skip_lines": "-"}),
        (written(SHORT.assign(last=np.where(SHORT["last"] == 1, "FAILED", "ok"))),
         {"event_column": "last", "failure_kinds": ["FAILED"]}),
        (written(SHORT.assign(last=(SHORT["unit"] < "M2").astype(int)).rename(columns={"last": "failed"})),
         {"event_column": "failed", "after_event": "-"}),
        # Beside dates a number of rows is no time to the event.
        (written(SHORT.drop(columns="last").assign(RUL=19 - BASE["row"])),
         {"all_units_fail": True, "time_to_event_column": "-", "exclude_columns": ["RUL"]}),
        (written(SHORT.assign(temp=(SHORT["temp"] * 50).map(lambda v: f"{v:,.1f}".replace(",", "'"))), sep=";"),
         {"thousands": "apostrophe", "decimal": "-", "exclude_columns": "-"}),
        (written(SHORT.assign(temp=(SHORT["temp"] * 50).map(lambda v: f"{v:,.1f}".translate({44: "\u202f", 46: ","}))),
                 sep=";"), {"thousands": "space", "decimal": "comma", "exclude_columns": "-"}),
        # Another name of the unit is no feature.
        (written(SHORT.assign(title="Pump " + SHORT["unit"])), {"unit_column": "unit", "exclude_columns": ["title"]}),
        (written(SHORT.assign(last=(19 - BASE["row"]).map(lambda n: f"{n}h")).rename(columns={"last": "RUL"})),
         {"time_to_event_column": "RUL"}),
        (written(SHORT.assign(temp=SHORT["temp"].where(BASE["row"] != 3, 2**31 - 1))),
         {"missing_values": ["2147483647"]}),
        ("unit;cycle;x;RUL\n" + "".join(f"{u};{c};{u + c * c};{9 - c}\n" for u in (1, 2) for c in range(10)),
         {"time_to_event_column": "RUL"}),
    ],
)  # fmt: skip
def test_right_guesses(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    path = tmp_path / "units.csv"
    path.write_text(text)
    guesses = propose(str(path))
    assert {key: guesses[key].value if key in guesses else "-" for key in expected} == expected
    assert try_out(guesses) is None


@pytest.mark.parametrize(
    ("text", "key", "value", "doubt"),
    [
        (written(SHORT.assign(temp=THOUSANDS.str.replace(",", ".")), sep=";"), "decimal", "point",
         "decimal=comma thousands=point"),
        (written(SHORT.assign(temp=THOUSANDS), sep=";"), "decimal", "comma", "decimal=point thousands=comma"),
        # Both ways are in order, and of equal steps.
        ("unit,when,x\n" + "".join(f"M{u},01/02/2024 06:00,{u}\nM{u},02/03/2024 06:00,9\n" for u in (1, 2)),
         "date_format", "%d/%m/%Y %H:%M", "date_format=%m/%d/%Y %H:%M reads them as well"),
        (written(SHORT.drop(columns="last").assign(failed=0)), "event_column", "failed", "no unit has failed"),
        (written(SHORT.drop(columns="last")), "all_units_fail", True, "would count as failed"),
        (written(SHORT.assign(alarm=(BASE["row"] > 15).astype(int)).drop(columns="last").rename(
            columns={"alarm": "stop"})), "after_event", "new_unit", "each row would be a life"),
        (written(SHORT.assign(mode=BASE["row"] // 5)), "categorical_columns", [], "mode: few whole numbers"),
        (written(SHORT.assign(temp=SHORT["temp"].astype(str).where(BASE["row"] != 3, "Bad Input"))),
         "missing_values", ["Bad Input"], "if they mean something else"),
        (written(SHORT.assign(temp=SHORT["temp"].astype(str).where(BASE["row"] != 3, "Infinity"))),
         "missing_values", ["Infinity"], "if they mean something else"),
        (written(SHORT.assign(temp=SHORT["temp"].where(BASE["row"] != 3, -1), other=BASE["row"] - 3)),
         "missing_values", [], "temp is -1 again and again, which may be no value; but other has it as one"),
        (written(SHORT.assign(temp=(SHORT["temp"] * 1000).map(lambda v: f"{v:,.0f}"))), "thousands", "comma",
         "may have it as the decimal mark"),
        (written(SHORT.assign(more=SHORT["temp"].map(lambda v: f"{v:.3f}".replace(".", ","))), sep=";"), "thousands",
         "comma", "some numbers may have a decimal comma, and some a point"),
        (written(SHORT.assign(more=SHORT["temp"].map("{} %".format))), "exclude_columns", ["more"],
         "more has numbers in a writing that cannot be read, such as '"),
        (written(SHORT.assign(when=SHORT["when"].dt.strftime("%Hh%M on %d.%m.%y"), cycle=BASE["row"]).rename(
            columns={"when": "stamp"})), "time_column", "cycle", "stamp looks like a time and cannot be read: "),
        (written(SHORT.assign(when=SHORT["when"].dt.strftime("%y%m%d%H%M"))), "date_format", "epoch_s",
         "date_format=%y%m%d%H%M reads them as well"),
        (written(SHORT.assign(date=45444 + BASE["row"]).drop(columns="when")), "date_format", "excel",
         "they may be plain numbers as well"),
        (written(BASE.assign(cycle=19 - BASE["row"])[["unit", "cycle", "temp", "last"]]), "time_column", "cycle",
         "it falls from row to row: a remaining life"),
        (written(SHORT.assign(unit=SHORT["unit"].where(BASE.index != 9))), "unit_column", "unit",
         "1 row has no value"),
        (written(SHORT.assign(failed=np.where(SHORT["last"] == 1, SHORT["unit"], "")).drop(columns="last")),
         "failure_kinds", ["M0", "M1", "M2", "M3"], "each of its texts is taken for a failure: M0, M1"),
        (written(SHORT.assign(failures=BASE["row"] // 9).drop(columns="last")), "all_units_fail", True,
         "failures may tell the event: it has 0, 1, 2, and failure_kinds says"),
        (written(SHORT.assign(temp=SHORT["temp"].where(BASE["row"] != 3, -999))), "missing_values", ["-999"],
         "if they mean something else"),
        (written(SHORT[SHORT["unit"] == "M0"][["when", "temp"]]), "unit_column", None, "there is one file"),
        (written(SHORT.assign(seen=SHORT["when"])), "time_column", "when", "it may be seen as well"),
    ],
)  # fmt: skip
def test_doubtful_guesses_say_what_else_it_may_be(
    tmp_path: Path, text: str, key: str, value: object, doubt: str
) -> None:
    path = tmp_path / "units.csv"
    path.write_text(text)
    guesses = propose(str(path))
    assert guesses[key].value == value
    assert doubt in guesses[key].doubt
    shown = as_text(guesses)
    assert f"\n  {key}: " in shown.partition("not sure, please look:")[2]
    assert f"# NOT SURE: {guesses[key].doubt}\n{key}: " in as_yaml(guesses, "units")


def test_an_encoding_is_shown_by_a_word(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_bytes(written(SHORT.rename(columns={"temp": "Kühlwasser °C"}), sep=";").encode("cp1252"))
    guess = propose(str(path))["encoding"]
    assert (guess.value, "Kühlwasser" in guess.doubt) == ("cp1252", True)


def test_a_time_that_stands_there_twice_where_clocks_were_set_back(tmp_path: Path) -> None:
    times = pd.date_range("2024-10-26", periods=60, freq="1h", tz="Europe/Berlin").strftime("%Y-%m-%d %H:%M")
    path = tmp_path / "units.csv"
    table = pd.concat(pd.DataFrame({"unit": unit, "when": times, "x": np.arange(60) ** 2}) for unit in "ab")
    path.write_text(written(table))
    guesses = propose(str(path))
    assert guesses["unit_column"].value == "unit"
    assert "time_zone tells the two apart" in guesses["unit_column"].doubt
    assert "dataset.time_zone" in str(try_out(guesses))


def test_the_event_in_the_file_of_attributes(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(written(SHORT.drop(columns="last")))
    (tmp_path / "units.csv").write_text("unit,state,age\nM0,failed,3\nM1,runs,4\nM2,failed,9\nM3,runs,6\n")
    guesses = propose(str(tmp_path / "rows.csv"), attributes=str(tmp_path / "units.csv"))
    assert (guesses["event_column"].value, guesses["failure_kinds"].value) == ("state", ["failed"])
    assert "categorical_columns" not in guesses or "state" not in str(guesses["categorical_columns"].value)
    assert try_out(guesses) is None


def test_a_log_with_dates_of_its_own_and_kinds_by_no_known_word(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(written(SHORT.drop(columns="last")))
    ends = SHORT.groupby("unit")["when"].max() - pd.to_timedelta(range(4), unit="h")
    log = pd.DataFrame({"unit": ends.index, "when": ends.dt.strftime("%d/%m/%Y %H:%M"), "order": ["PM01", "PM02"] * 2})
    (tmp_path / "log.csv").write_text(written(log))
    guesses = propose(str(tmp_path / "rows.csv"), events=str(tmp_path / "log.csv"))
    assert guesses["events_date_format"].value == "%d/%m/%Y %H:%M"
    assert "events_kind_column may be order (PM01, PM02), and failure_kinds what" in guesses["events_path"].doubt
    assert try_out(guesses) is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"\x1f\x8b\x08", "gzip"),
        ("a.zip", b"PK", "a.zip cannot be read: File is not a zip file"),
        ("a.csv", b"unit,when,x\nA,soon,1\n", "none of the columns unit, when, x can be the time"),
        ("a.csv", b"unit,time,x\nA,1h,1\nA,2h,2\nA,3h,2\nA,4h,2\n", "line 2: column time has '1h', numbers or dates"),
    ],
)
def test_files_for_which_nothing_can_be_proposed(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        propose(str(tmp_path / name))

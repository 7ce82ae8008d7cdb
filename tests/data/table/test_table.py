from __future__ import annotations

import logging
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddrsa.data.load import load_dataset
from ddrsa.data.options import TableOptions
from ddrsa.data.sequences import Sequences
from ddrsa.data.table.read import read_table_sequences
from ddrsa.errors import ConfigError, DataError, UsageError


def _read(tmp_path: Path, table: pd.DataFrame | str, *, name: str = "units.csv", **options: Any) -> Sequences:
    path = tmp_path / name
    if isinstance(table, str):
        path.write_text(table)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    if not {"event_column", "time_to_event_column", "all_units_fail"} & set(options):
        options["event_column"] = "failed"
    return read_table_sequences(TableOptions(path=str(path), **options))


@pytest.fixture
def table() -> pd.DataFrame:
    """Unit 3 fails at time 3, unit 1 is censored after time 6, unit 2 fails at its only row."""
    return pd.DataFrame(
        {
            "unit": [3, 3, 3, 1, 1, 2],
            "time": [1, 2, 3, 5, 6, 9],
            "heat": [1.0, 2, 3, 4, 5, 6],
            "oil": [6.0, 5, 4, 3, 2, 1],
            "site": ["north", "north", "south", "north", "north", "south"],
            "failed": [0, 0, 1, 0, 0, 1],
        }
    )


def _column(sequences: Sequences, name: str) -> list[float]:
    return sequences.features[:, sequences.feature_names.index(name)].tolist()


def test_units_times_and_events(tmp_path: Path, table: pd.DataFrame) -> None:
    sequences = _read(tmp_path, table, exclude_columns=["site"])
    assert sequences.unit.tolist() == [1, 1, 2, 3, 3, 3]
    assert sequences.time_to_event.tolist() == [1, 0, 0, 2, 1, 0]
    assert sequences.unit_event_observed.tolist() == [False, True, True]
    assert sequences.feature_names == ("heat", "oil")
    assert _column(sequences, "heat") == [4, 5, 6, 1, 2, 3]
    assert sequences.group is None


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"exclude_columns": ["s*"]}, ("heat", "oil")),
        ({"feature_columns": ["o*"]}, ("oil",)),
        ({"feature_columns": "oil"}, ("oil",)),
        ({"feature_columns": ["heat", "time"]}, ("time", "heat")),
        ({"categorical_columns": ["site"]}, ("heat", "oil", "site=north", "site=south")),
        ({"categorical_columns": ["site"], "feature_columns": ["oil"]}, ("oil", "site=north", "site=south")),
        ({"categorical_columns": ["site"], "exclude_columns": ["heat", "oil"]}, ("site=north", "site=south")),
    ],
)
def test_features_by_name_and_pattern(
    tmp_path: Path, table: pd.DataFrame, options: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert _read(tmp_path, table, **options).feature_names == names


def test_categories_become_features_of_0_and_1(tmp_path: Path, table: pd.DataFrame) -> None:
    sequences = _read(tmp_path, table, categorical_columns=["site"])
    assert _column(sequences, "site=north") == [1, 1, 0, 1, 1, 0]
    assert _column(sequences, "site=south") == [0, 0, 1, 0, 0, 1]


def test_a_flag_of_the_whole_unit_is_the_same(tmp_path: Path, table: pd.DataFrame) -> None:
    by_row = _read(tmp_path, table, feature_columns=["heat"])
    table["failed"] = [True, True, True, False, False, True]
    by_unit = _read(tmp_path, table, feature_columns=["heat"])
    np.testing.assert_array_equal(by_row.time_to_event, by_unit.time_to_event)
    np.testing.assert_array_equal(by_row.event_observed, by_unit.event_observed)


def test_all_units_fail(tmp_path: Path, table: pd.DataFrame) -> None:
    sequences = _read(tmp_path, table.drop(columns="failed"), all_units_fail=True, feature_columns=["heat"])
    assert sequences.event_observed.all()


def test_time_to_event(tmp_path: Path, table: pd.DataFrame) -> None:
    table["rul"] = [12, 11, 10, None, None, 0]
    sequences = _read(tmp_path, table, time_to_event_column="rul", feature_columns=["heat"])
    assert sequences.time_to_event.tolist() == [1, 0, 0, 12, 11, 10]
    assert sequences.unit_event_observed.tolist() == [False, True, True]


def test_rows_after_an_event(tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    table["failed"] = [0, 1, 0, 1, 0, 0]
    with pytest.raises(DataError, match=r"unit 1 comes back after its event, at time 6 \(2 rows of 2 units\)"):
        _read(tmp_path, table, feature_columns=["heat"])
    with caplog.at_level(logging.WARNING):
        dropped = _read(tmp_path, table, feature_columns=["heat"], after_event="drop")
    assert "2 rows of 2 units after their event: left out" in caplog.text
    assert _column(dropped, "heat") == [4, 6, 1, 2]
    assert dropped.time_to_event.tolist() == [0, 0, 1, 0]
    parts = _read(tmp_path, table, feature_columns=["heat"], after_event="new_unit")
    assert _column(parts, "heat") == [4, 5, 6, 1, 2, 3]
    assert parts.unit.tolist() == [1, 2, 3, 4, 4, 5]
    assert parts.unit_event_observed.tolist() == [True, False, False, True, False]
    assert parts.unit_groups.tolist() == [0, 0, 1, 2, 2]
    assert parts.unit_titles == ("1 (life 1)", "1 (life 2)", "2 (life 1)", "3 (life 1)", "3 (life 2)")


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["N9", "N10", "N2"], [1, 2, 3]),
        (["007", "7", "0x7"], [1, 2, 3]),
        (["NA", "null", "None"], [1, 2, 3]),
        ([str(2**63), str(2**63 + 1), "1"], [1, 2, 3]),
        (["1", "1.0", "1e0"], [1, 2, 3]),
        (["10", "9", "-3"], [-3, 9, 10]),
        ([str(2**53), str(2**53 + 1), "0"], [0, 2**53, 2**53 + 1]),
    ],
)
def test_names_are_texts_that_never_merge(tmp_path: Path, names: list[str], ids: list[int]) -> None:
    text = "unit,time,x\n" + "".join(f"{name},{time},0.5\n" for name in names for time in (1, 2))
    sequences = _read(tmp_path, text, all_units_fail=True)
    assert set(sequences.unit_names) == set(names)
    assert sequences.unit_ids.tolist() == ids


def test_names_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    text = "unit,time,x\n" + "".join(f"{name},1,0.5\n" for name in ("N10", "N9", "N2", "M11"))
    assert _read(tmp_path, text, all_units_fail=True).unit_names == ("M11", "N2", "N9", "N10")


def test_names_of_units_and_groups(tmp_path: Path, table: pd.DataFrame) -> None:
    table["unit"] = ["c", "c", "c", "a", "a", "b"]
    table["plant"] = ["x", "x", "x", "y", "y", "x"]
    sequences = _read(tmp_path, table, group_column="plant", feature_columns=["heat"])
    assert sequences.unit_ids.tolist() == [1, 2, 3]
    assert _column(sequences, "heat") == [4, 5, 6, 1, 2, 3]
    groups = sequences.unit_groups
    assert groups[1] == groups[2] != groups[0]


def test_each_file_a_unit(tmp_path: Path, table: pd.DataFrame) -> None:
    for unit, rows in table.groupby("unit"):
        rows.drop(columns="unit").to_csv(tmp_path / f"pump_{unit}.csv", index=False)
    options = TableOptions(
        path=str(tmp_path / "pump_*.csv"), unit_column=None, event_column="failed", feature_columns=["heat"]
    )
    sequences = read_table_sequences(options)
    assert sequences.unit.tolist() == [1, 1, 2, 3, 3, 3]
    assert _column(sequences, "heat") == [4, 5, 6, 1, 2, 3]


def test_parquet_is_the_same_as_csv(tmp_path: Path, table: pd.DataFrame) -> None:
    table["time"] = pd.Timestamp("2024-03-01") + pd.to_timedelta(table["time"], unit="h")
    options: dict[str, Any] = {"categorical_columns": ["site"], "step": "2h"}
    csv = _read(tmp_path, table, **options)
    parquet = _read(tmp_path, table, name="units.parquet", **options)
    np.testing.assert_array_equal(csv.features, parquet.features)
    assert csv.feature_names == parquet.feature_names
    np.testing.assert_array_equal(csv.time_to_event, parquet.time_to_event)


def test_a_separator(tmp_path: Path) -> None:
    text = "unit;time;x;failed\n1;1;0.5;0\n1;2;0.75;1\n"
    assert _column(_read(tmp_path, text, separator=";"), "x") == [0.5, 0.75]


def test_missing_values_take_the_last_before_them(
    tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    table["heat"] = [None, 2, None, 4, None, 6]
    table["site"] = ["north", None, "south", "north", "north", "south"]
    table["dead"] = np.nan
    with caplog.at_level(logging.WARNING):
        sequences = _read(tmp_path, table, categorical_columns=["site"])
    assert _column(sequences, "heat") == [4, 4, 6, 2, 2]
    assert _column(sequences, "site=north") == [1, 1, 0, 1, 0]
    assert sequences.time_to_event.tolist() == [1, 0, 0, 1, 0]
    assert "heat: 3 of 6 values are missing" in caplog.text
    assert "left out because they have no value in any row: dead" in caplog.text
    assert "1 row before the first value" in caplog.text
    with pytest.raises(DataError, match="column heat has no value in 3 of 6 rows, first in unit 1"):
        _read(tmp_path, table.drop(columns=["dead", "site"]), missing="error")


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [("mean", [1.5, 1.5, 5]), ("last", [2, 2, 5]), ("max", [2, 2, 5]), ("min", [1, 1, 5]), ("sum", [3, 3, 5])],
)
def test_resampling(tmp_path: Path, aggregation: str, expected: list[float]) -> None:
    # Steps of 10 from time 3: [3, 13) has two rows, [13, 23) none, [23, 33) the event.
    table = pd.DataFrame({"unit": 1, "time": [3, 12.5, 26], "x": [1.0, 2, 5], "failed": [0, 0, 1]})
    sequences = _read(tmp_path, table, step=10, aggregation=aggregation)
    assert sequences.time_to_event.tolist() == [2, 1, 0]
    assert _column(sequences, "x") == expected


def test_resampling_of_a_time_to_event(tmp_path: Path) -> None:
    # The event is at 47, in the step [43, 53).
    table = pd.DataFrame({"unit": 1, "time": [3, 12.5, 26], "x": [1.0, 2, 5], "rul": [44, 34.5, 21]})
    sequences = _read(tmp_path, table, step=10, time_to_event_column="rul")
    assert sequences.time_to_event.tolist() == [4, 3, 2]
    dates = table.assign(time=pd.Timestamp("2024-01-01") + pd.to_timedelta(table["time"], unit="h"))
    dates["rul"] = [f"{value}h" for value in table["rul"]]
    assert _read(tmp_path, dates, step="10h", time_to_event_column="rul").time_to_event.tolist() == [4, 3, 2]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True), min_size=1, max_size=4),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_resampling_is_that_of_a_brute_force(
    tmp_path_factory: pytest.TempPathFactory, units: list[list[int]], step: int, random: Random
) -> None:
    rows = [(unit, time, random.uniform(0, 1)) for unit, times in enumerate(units) for time in times]
    random.shuffle(rows)
    table = pd.DataFrame(rows, columns=["unit", "time", "x"])
    sequences = _read(tmp_path_factory.mktemp("table"), table, step=step, all_units_fail=True)
    expected: list[tuple[int, int, Any]] = []
    for unit, times in enumerate(units):
        start, last = min(times), max(times)
        value = None
        steps = (last - start) // step + 1
        for number in range(steps):
            inside = [x for u, t, x in rows if u == unit and (t - start) // step == number]
            value = sum(inside) / len(inside) if inside else value
            expected.append((unit, steps - 1 - number, value))
    assert sequences.unit.tolist() == [unit for unit, _, _ in expected]
    assert sequences.time_to_event.tolist() == [tau for _, tau, _ in expected]
    np.testing.assert_allclose(sequences.features[:, 0], [value for *_, value in expected], rtol=1e-6, atol=1e-30)


def test_rows_that_stand_there_twice(tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sequences = _read(tmp_path, pd.concat([table, table.head(2)]), feature_columns=["heat"])
    assert sequences.num_rows == 6
    assert "2 rows are there twice, and left out" in caplog.text
    other = table.head(2).assign(heat=99)
    with pytest.raises(DataError, match="unit 3 has two different rows at time 1"):
        _read(tmp_path, pd.concat([table, other]), feature_columns=["heat"])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"unit_column": "engine"}, "dataset.unit_column is 'engine', but the table has unit, time, heat, oil,"),
        ({}, {"time_column": "t"}, "dataset.time_column is 't'"),
        ({}, {"event_column": "event"}, "dataset.event_column is 'event'"),
        ({}, {"group_column": "plant"}, "dataset.group_column is 'plant'"),
        ({}, {"categorical_columns": ["colour"]}, "dataset.categorical_columns is 'colour'"),
        ({}, {"feature_columns": ["heat", "sensor_*"]}, r"feature_columns is 'sensor_\*', but the table has heat, oil"),
        ({}, {"feature_columns": ["failed"]}, "has failed, which tells the time of the event itself"),
        ({}, {"feature_columns": ["heat"], "exclude_columns": ["*"]}, "leaves no feature"),
        (
            {},
            {},
            "units.csv, line 2: column site has 'north', a finite number .*name the column in dataset.categ",
        ),
        ({"heat": np.inf}, {"exclude_columns": ["site"]}, "line 2: column heat has inf"),
        ({"failed": 2}, {"feature_columns": ["heat"]}, "line 2: column failed has '2', 0 or 1 is expected"),
        ({"failed": None}, {"feature_columns": ["heat"]}, "line 2: column failed has no value"),
        ({"unit": None}, {"feature_columns": ["heat"]}, "line 2: column unit has no value"),
        ({"time": "soon"}, {"feature_columns": ["heat"]}, "line 2: column time has 'soon', numbers or dates such as"),
        ({"time": None}, {"feature_columns": ["heat"]}, "line 2: column time has no value"),
        ({"heat": None}, {"feature_columns": ["heat"]}, "no feature has a value: heat"),
        (
            {"time": [1, 2, 4, 5, 6, 9]},
            {"feature_columns": ["heat"]},
            r"unit 3 goes from 2 to 4, other rows lie 1 apart \(1 of 3 steps are irregular\); dataset.step resamples",
        ),
        (
            {"heat": [1, 2, 3, None, None, 6]},
            {"feature_columns": ["heat"]},
            r"column heat has no value in any row of unit 1 \(1 unit in all\); name it in dataset.exclude_columns",
        ),
        (
            {"oil": ["x"] * 3 + ["y", "z", "z"]},
            {"group_column": "oil", "feature_columns": ["heat"]},
            "column oil has several values in unit 1",
        ),
        ({}, {"feature_columns": ["heat"], "step": "15h"}, "column time has numbers: a number is expected"),
        ({"time": "2024-01-01"}, {"feature_columns": ["heat"], "step": 2}, "two different rows at time 2024-01-01"),
        (
            {"time": [f"2024-01-0{day}" for day in range(1, 7)]},
            {"feature_columns": ["heat"], "step": 2},
            "column time has dates: a duration such as 15h is expected",
        ),
        (
            {"time": [f"2024-01-0{day}" for day in range(1, 7)]},
            {"feature_columns": ["heat"], "step": "1 month"},
            "step=1 month: allowed is a duration of a fixed length such as 30min, 15h or 1D",
        ),
        (
            {"oil": [2, 1, 1, 0, 0, 0]},
            {"time_to_event_column": "oil", "feature_columns": ["heat"]},
            "column oil of unit 1 does not fall by as much as time rises; a remaining life that was capped",
        ),
        ({"oil": -1}, {"time_to_event_column": "oil", "feature_columns": ["heat"]}, "line 2: column oil has '-1'"),
        (
            {"oil": [2, 1, None, None, None, 0]},
            {"time_to_event_column": "oil", "feature_columns": ["heat"]},
            "column oil has values in some rows of unit 3 and none in others",
        ),
        (
            {"oil": [2.5, 1.5, 0.5, 1, 0, 0]},
            {"time_to_event_column": "oil", "feature_columns": ["heat"]},
            "the event of unit 3 is 0.500 steps after its last row, a whole number is expected",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, table: pd.DataFrame, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises((DataError, ConfigError), match=message) as caught:
        _read(tmp_path, table.assign(**change), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        ({}, "*.csv", "matches no file"),
        ({"a.csv": "x"}, "", "is a folder: allowed is a file, or a pattern"),
        ({"a.csv": ""}, "a.csv", "a.csv is empty"),
        ({"a.csv": "unit,time,failed,x\n"}, "a.csv", "a.csv has no rows"),
        ({"a.csv": "unit,time\n1,2,3,4\n"}, "a.csv", "a.csv, line 2: 4 cells, the header has 2"),
        ({"a.csv": 'unit,time,failed\n1,2,"3'}, "a.csv", "a.csv cannot be read"),
        ({"a.parquet": "no parquet"}, "a.parquet", "a.parquet cannot be read"),
        (
            {"a.csv": "unit,time,failed,x\n1,1,1,1\n", "b.csv": "unit,time,failed,y\n1,1,1,1\n"},
            "*.csv",
            "b.csv has other columns than .*a.csv: only one of them has x, y",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, files: dict[str, str], path: str, message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    options = TableOptions(path=str(tmp_path / path), event_column="failed")
    with pytest.raises(DataError, match=message) as caught:
        read_table_sequences(options)
    assert "\n" not in str(caught.value)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"")
    options = TableOptions(path=str(tmp_path / "a.parquet"), event_column="failed")
    with pytest.raises(UsageError, match=r"a.parquet, a Parquet file, needs pyarrow.*: pip install 'ddrsa\[parquet\]'"):
        read_table_sequences(options)


def test_a_category_that_only_other_units_have_is_no_feature_of_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"unit": np.repeat(np.arange(10), 5), "time": np.tile(np.arange(5), 10)})
    table["x"], table["site"], table["failed"] = rng.random(50), "north", table["time"] == 4
    load: dict[str, Any] = {"data_dir": tmp_path, "cache_dir": None, "seed": 0}
    options = {
        "name": "table",
        "path": str(tmp_path / "a.csv"),
        "event_column": "failed",
        "categorical_columns": "site",
    }
    table.to_csv(tmp_path / "a.csv", index=False)
    test_units = load_dataset(options, **load).test.unit_ids
    table.loc[table["unit"].isin(test_units), "site"] = "south"
    table.to_csv(tmp_path / "a.csv", index=False)
    dataset = load_dataset(options, **load)
    assert dataset.test.unit_ids.tolist() == test_units.tolist()
    assert dataset.training.feature_names == ("x",)

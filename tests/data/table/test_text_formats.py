"""Text files as factories have them: what is read from each, and what is refused with its place."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ddrsa.data.sequences import Sequences
from ddrsa.errors import UsageError

Read = Callable[..., Sequences]

# Of the rows of four units.
LIVES = [7, 12, 9, 15]
LIFE = np.repeat(LIVES, LIVES)
AGE = np.concatenate([np.arange(life) for life in LIVES])


def _values(read: Read, content: Any, **options: Any) -> list[list[float]]:
    return read(content, **options).features.tolist()


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("unit;time;x\nA;1;60,5\nA;2;61,25\n", {"decimal": "comma"}, [60.5, 61.25]),
        ("unit;time;x\nA;1;1.060,5\nA;2;12.061,25\n", {"decimal": ",", "thousands": "."}, [1060.5, 12061.25]),
        ('unit,time,x\nA,1,"1,060.5"\nA,2,-7\n', {"thousands": "comma"}, [1060.5, -7]),
        ("unit;time;x\nA;1;1\u00a0060,5\nA;2;12\u202f061,25\n", {"decimal": ",", "thousands": " "}, [1060.5, 12061.25]),
        ("unit;time;x\nA;1;1'060.5\nA;2;1e3\n", {"thousands": "apostrophe"}, [1060.5, 1000]),
        ("unit\ttime\tx\nA\t1\t2\nA\t2\t3\n", {"separator": "\\t"}, [2, 3]),
        ("unit\ttime\tx\nA\t1\t2\nA\t2\t3\n", {}, [2, 3]),
        ("unit|time|x\nA|1|2\nA|2|3\n", {}, [2, 3]),
        ("unit  time x\nA    1  2\nA    2  3 \n", {}, [2, 3]),
        ("unit,time,x,\nA,1,2,\nA,2,3,\n", {}, [2, 3]),
        ("unit,time,x\nA,1,2,\nA,2,3,\n", {}, [2, 3]),
        ("unit,time,x\nA,1,2,,\nA,2,3,,\n", {}, [2, 3]),
        ("A,1,2\nA,2,3\n", {"columns": ["unit", "time", "x"]}, [2, 3]),
        ('unit,time,note,x\nA,1,"b, c",2\nA,2,"two\nlines",3\n', {"exclude_columns": ["note"]}, [2, 3]),
        (b"unit,time,x\r\nA,1,2\nA,2,3\rA,3,4\r\n", {}, [2, 3, 4]),
        ("\ufeffunit,time,x\nA,1,2\nA,2,3\n", {}, [2, 3]),
        ("unit,time,x\nA,1,2\nA,2,#NV\nA,3,None\n", {}, [2, 2, 2]),
        ("unit,time,x\nA,1,2\nA,2,-\nA,3,?\n", {"missing_values": ["-", "?"]}, [2, 2, 2]),
        ("unit,time,x\nA,1,True\nA,2,FALSE\n", {}, [1, 0]),
        ("unit,time,x\nA,1,ja\nA,2,Nein\n", {}, [1, 0]),
        ("unit,time,x\nA,1,on\nA,2,\nA,3,off\n", {}, [1, 1, 0]),
        (",unit,time,x\n0,A,1,2\n1,A,2,3\n", {}, [2, 3]),
        ("Unnamed: 0,unit,time,x\n0,A,1,2\n1,A,2,3\n", {}, [2, 3]),
        ("unit,time,x,empty\nA,1,2,\nA,2,3,\n", {}, [2, 3]),
        ("sep=;\nunit;time;x\nA;1;2\nA;2;3\n", {}, [2, 3]),
        ("plant 7\nexported, by SCADA\n\nunit;time;x\nA;1;2\nA;2;3\n", {"skip_lines": 2}, [2, 3]),
        ("unit,time,x\n,h,K\nA,1,2\nA,2,3\n", {"skip_lines": 2, "columns": ["unit", "time", "x"]}, [2, 3]),
        ("unit;time;t, inner, left\nA;1;2\nA;2;3\n", {"feature_columns": ["t, inner, left"]}, [2, 3]),
        ("unit,time,x\nA,1,\u22122\nA,2,-0.5\n", {}, [-2, -0.5]),
        ("unit,time,x\nA,1,1\u2019060.5\nA,2,-7\n", {"thousands": "apostrophe"}, [1060.5, -7]),
        ("unit,time,x\nA,1,2\nA,2,#DIV/0!\n", {"missing_values": ["#DIV/0!"]}, [2, 2]),
        # A name with a line break in it, and a lone quote above the table: no row is lost.
        ('unit,time,"x\n[mm]"\nA,1,2\nA,2,3\n', {"feature_columns": ["x\n[mm]"]}, [2, 3]),
        ('pipe 7" wide\nunit,time,x\nA,1,2\nA,2,3\n', {"skip_lines": 1}, [2, 3]),
        # A number that means no value, however it is spelled.
        ("unit,time,x\nA,1,2\nA,2,-9999.00\n", {"missing_values": ["-9999"]}, [2, 2]),
        ("unit;time;x\nA;1;2,5\nA;2;-9999,0\n", {"missing_values": ["-9999"], "decimal": "comma"}, [2.5, 2.5]),
        ("unit;time;x\nA;1;2,5\nA;2;-999,50\n", {"missing_values": ["-999.5"], "decimal": "comma"}, [2.5, 2.5]),
        ("unit,time,x\nA,1,2\nA,2,-Infinity\n", {"missing_values": ["-inf"]}, [2, 2]),
    ],
)
def test_numbers_are_read_as_they_are_meant(
    read: Read, content: str | bytes, options: dict[str, Any], expected: list[float]
) -> None:
    sequences = read(content, **options)
    assert sequences.feature_names == tuple(options.get("feature_columns", ["x"]))
    assert sequences.features[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            "unit;time;x\nA;1;1\nA;2;60,5\n",
            {},
            "line 3: column x has '60,5', a finite number is expected; .*decimal=comma",
        ),
        ("unit;time;x\nA;1;1.5\n", {"decimal": ",", "thousands": "."}, "line 2: column x has '1.5'"),
        ('unit,time,x\nA,1,"1,06"\n', {"thousands": "comma"}, "line 2: column x has '1,06'"),
        ('unit,time,x\nA,1,"1,060.5"\n', {}, "dataset.thousands and dataset.decimal name the marks"),
        (
            "unit,time,x\nA,1,1e400\n",
            {},
            "line 2: column x has inf, a finite number is expected; .*missing_values=\\[inf, Inf",
        ),
        ("unit,time,x\nA,1,2\nA,2,#REF!\n", {}, "line 3: column x has '#REF!', .*dataset.missing_values="),
        ("plant 7\nunit,time,x\nA,1,2\nA,2,z\n", {"skip_lines": 1}, "line 4: column x has 'z'"),
        ('pipe 7" wide\nunit,time,x\nA,1,2\nA,2,z\n', {"skip_lines": 1}, "line 4: column x has 'z'"),
        ('unit,time,"x\n[mm]"\nA,1,2\nA,2,z\n', {"feature_columns": ["x\n[mm]"]}, "line 4: column x"),
        (gzip.compress(b"unit,time,x\nA,1,2\n", mtime=0), {}, r"is no text by its first bytes, but gzip \(.gz\)"),
        ("unit,time,x\n", {"skip_lines": 1}, "units.csv is empty behind its first 1 line"),
        ("unit,time,x\nA,1,2\n", {"skip_lines": -1}, "dataset.skip_lines=-1: allowed is a whole number of lines"),
        ('unit,time,n,x\n\nA,1,"a\nb",2\nA,2,c,zz\n', {"exclude_columns": ["n"]}, "line 5: column x has 'zz'"),
        ("unit,time,x,x\nA,1,2,3\n", {}, "has the column x twice"),
        ("unit,time,x\nA,1,2\nA,2,3,9\n", {}, "line 3: 4 cells, the header has 3"),
        ("unit,time,x\nA,1,2\nA,2,3,9,9\n", {}, "line 3: 5 cells, the header has 3"),
        ("unit,time,x\nA,1,2,,9\nA,2,3\n", {}, "line 2: 5 cells, the header has 3"),
        ("unit,time,x,y\nA,1,2,3\nA,2,3\n", {}, "line 3: 3 cells, the header has 4"),
        ("1,2.5,3\n1,3.5,4\n", {}, r"the first line has numbers \(1, 2.5, 3, ...\) where names.*dataset.columns="),
        ("A,1,2\n", {"columns": ["unit", "time"]}, "dataset.columns has 2 names, but the first row of .* has 3 cells"),
        ("unit,time,x\nA,1,2\n", {"encoding": "klingon"}, "dataset.encoding=klingon: Python knows no such"),
        (
            "unit,time,Größe\nA,1,2\n".encode("cp1252"),
            {"encoding": "utf-8"},
            "units.csv cannot be read: .*; dataset.encoding names another",
        ),
        ("unit,time,x\nA,1,2\n", {"exclude_columns": ["X_h"]}, "dataset.exclude_columns is 'X_h', but the table has"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    read: Read, content: str | bytes, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(content, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("Größe", "cp1252"), ("Temperatur_°C", "latin-1"), ("Ölstand", "utf-16"), ("x°", "utf-16-le"), ("Ü", "utf-8")],
)
def test_an_encoding_is_found(read: Read, caplog: pytest.LogCaptureFixture, name: str, encoding: str) -> None:
    sequences = read(f"unit,time,{name}\nA,1,2\nA,2,3\n".encode(encoding))
    assert sequences.feature_names == (name,)
    guessed = encoding not in ("utf-8", "utf-16")
    assert ("dataset.encoding names another" in caplog.text) == guessed


def test_an_encoding_behind_a_megabyte_of_ascii_is_found(read: Read) -> None:
    text = f"unit,time,v,note\nA,0,2,x{' ' * 1_200_000}\nA,1,2,Öl\n"
    assert read(text.encode("cp1252"), categorical_columns=["note"]).feature_names[-1] == "note=Öl"


def test_a_category_is_its_value_however_it_is_spelled(read: Read) -> None:
    spelled = ["1", "1.0", "2.50", "NA", "None", "007", "true", "TRUE", "1E3", "null"]
    text = "unit,time,c\n" + "".join(f"A,{time},{value}\n" for time, value in enumerate(spelled))
    sequences = read(text, categorical_columns=["c"])
    names = [sequences.feature_names[row.argmax()] for row in sequences.features]
    assert names == [f"c={value}" for value in ("1", "1", "2.5", "NA", "None", "007", "True", "True", "1E3", "null")]
    table = pd.DataFrame({"unit": 1, "time": range(3), "c": [1.0, 2.5, 1.0]})
    assert read(table, name="a.parquet", categorical_columns=["c"]).feature_names == ("c=1", "c=2.5")
    german = read("unit;time;c\nA;1;1,0\nA;2;2,5\n", categorical_columns=["c"], decimal="comma")
    assert german.feature_names == ("c=1", "c=2.5")


def test_a_category_that_is_called_as_a_column_is_refused(read: Read) -> None:
    with pytest.raises(UsageError, match="the table has a column 'c=a', and so is called a category of c"):
        read("unit,time,c,c=a\nA,1,a,1\nA,2,b,0\n", categorical_columns=["c"])


def test_a_name_with_brackets_names_itself(read: Read) -> None:
    text = "unit,time,RUL [h],R,U,T1,T2\nA,1,1,2,3,4,5\n"
    assert read(text, exclude_columns=["RUL [h]", "T[12]"]).feature_names == ("R", "U")
    assert read(text, feature_columns=["RUL [h]"]).feature_names == ("RUL [h]",)


def test_no_column_tells_the_event_under_a_name_that_pandas_made(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    text = "Unnamed: 0,unit,time,x,failed,failed.1\n0,A,1,2,0,0\n1,A,2,3,1,1\n"
    assert read(text, event_column="failed").feature_names == ("x",)
    assert "column failed.1 is a copy of what tells the unit or the event and no feature" in caplog.text
    assert read(text, event_column="failed", feature_columns=["x", "Unnamed: 0"]).feature_names == ("Unnamed: 0", "x")


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ([4, 2, 0, 2, 0], "is the remaining life itself"),
        ([0, 0, 1, 0, 1], "is not 0 in the row of the event alone: it tells the event itself"),
        ([1, 1, 0, 1, 0], "is 0 in the row of the event alone: it tells the event itself"),
        (range(5), "is the number of the row"),
    ],
)
def test_a_feature_that_tells_the_event_is_said(
    read: Read, caplog: pytest.LogCaptureFixture, column: list[int], what: str
) -> None:
    table = pd.DataFrame({"unit": [1, 1, 1, 2, 2], "time": [1, 2, 3, 1, 2], "x": [5.0, 3, 4, 1, 2], "y": list(column)})
    read(table, name="a.parquet")
    assert f"feature y {what}" in caplog.text
    assert "feature x" not in caplog.text


@pytest.mark.parametrize(
    ("tells", "what"),
    [
        (LIFE, "is the length of the life"),
        (24.0 * (LIFE - 1), "is the length of the life"),
        ((1 - AGE / LIFE).round(4), "is the share of the life that is left or gone"),
        (100 * AGE / (LIFE - 1), "is the share of the life that is left or gone"),
        (np.where(AGE == LIFE - 1, 5, 1 + AGE % 2), "no other row has it: it tells them"),
        (np.where(AGE == LIFE - 1, AGE, -1), "no other row has it: it tells them"),
        (AGE, None),
        (LIFE % 5 + 1, None),
        (np.minimum(AGE, 9), None),
    ],
)
def test_what_is_known_only_at_the_end_of_a_life_is_said(
    read: Read, caplog: pytest.LogCaptureFixture, tells: NDArray[Any], what: str | None
) -> None:
    table = pd.DataFrame({"unit": np.repeat(list("abcd"), LIVES), "time": AGE, "y": tells})
    read(table.assign(x=np.random.default_rng(0).normal(size=len(AGE))), name="a.parquet")
    assert ("feature y" in caplog.text) == (what is not None), caplog.text
    assert (what or "") in caplog.text
    assert "feature x" not in caplog.text


def test_codes_for_no_value_are_said(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    values = [50.5, 51.25, -9999, 52, 2147483647, 2147483647, 53, 50]
    table = pd.DataFrame({"unit": "A", "time": range(8), "x": values, "y": [-1, 0, 1, 2, 3, 4, -1, -2]})
    for name in ("a.parquet", "a.xlsx"):
        caplog.clear()
        read(table, name=name)
        assert "x is -9999 in 1 row, far from its other values: dataset.missing_values=['-9999']" in caplog.text
        assert "x is 2147483647 in 2 rows" in caplog.text
        assert "y is" not in caplog.text
        caplog.clear()
        sequences = read(table, name=name, missing_values=["-9999", "2147483647"])
        assert sequences.features[:, 0].tolist() == [50.5, 51.25, 51.25, 52, 52, 52, 53, 50]
        assert "far from its other values" not in caplog.text
    infinite = table.assign(x=[1.0, np.inf, 2, 3, 4, 5, 6, 7])
    assert read(infinite, name="a.parquet", missing_values=["inf"]).features[1, 0] == 1


def test_categories_that_look_alike_are_said(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    assert read("unit,time,c\nA,1,North\nA,2,north\n", categorical_columns=["c"]).feature_names == (
        "c=North",
        "c=north",
    )
    assert "these are different values of column c, though they look alike: North, north" in caplog.text
    caplog.clear()
    assert len(read("unit,time,c\nA,1,K\u00fc\nA,2,Ku\u0308\n", categorical_columns=["c"]).feature_names) == 2
    assert r"though they look alike: 'Ku\u0308', 'K\xfc'" in caplog.text or r"'K\xfc', 'Ku\u0308'" in caplog.text


def test_names_of_units_are_texts(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    sequences = read("unit,time,x\n007,1,2\n7,1,2\nP1 ,1,2\nP1,2,3\n-3,1,2\n1e3,1,2\n1000,1,2\n")
    assert set(sequences.unit_names) == {"007", "7", "P1", "-3", "1e3", "1000"}
    for one, other in (
        ("P 1", "P\u00a01"),
        ("K\u00fc", "Ku\u0308"),
        ("A", "A\u200b"),
        ("P 1", "P  1"),
        ("P\uff11", "P1"),
    ):
        caplog.clear()
        assert read(f"unit,time,x\n{one},1,2\n{other},1,2\n").num_units == 2
        assert "though they look alike" in caplog.text
    caplog.clear()
    read("unit,time,x\n007,1,2\n7,1,2\nP1 ,1,2\nP1,2,3\n")
    assert "names of different units, though they look alike: 007, 7" in caplog.text
    assert "1 names of units differ from others in blanks at their ends alone" in caplog.text


def test_whole_numbers_keep_their_digits_or_it_is_said(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    counter = [10**9 + 0.25 * step for step in range(8)]
    text = "unit,time,x\n" + "".join(f"A,{time},{value}\n" for time, value in enumerate(counter))
    assert read(text).features[:, 0].tolist() == counter
    assert "last digits" not in caplog.text
    text = "unit,time,x\n" + "".join(f"A,{time},{2**53 + time}\n" for time in range(4))
    read(text)
    assert "x: whole numbers of more than 2^53 lose their last digits, which changes 2 values" in caplog.text


def test_names_of_64_bits_with_and_without_sign_in_two_files(read: Read) -> None:
    numbers = [2**53, 2**53 + 1, 2**63 + 1, 2**63 + 2]
    read("unit,time,x\n" + "".join(f"{number},1,1\n" for number in numbers[:2]), name="a.csv")
    sequences = read(
        "unit,time,x\n" + "".join(f"{number},1,1\n" for number in numbers[2:]), name="b.csv", pattern="*.csv"
    )
    assert sequences.unit_names == tuple(map(str, numbers))


def test_parquet_with_an_index(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    table = pd.DataFrame({"unit": ["b", "a"], "time": pd.to_datetime(["2024-01-01", "2024-01-02"]), "x": [1.0, 2]})
    assert read(table.set_index(["unit", "time"]), name="a.parquet").unit_names == ("a", "b")
    assert read(table.rename_axis("row"), name="a.parquet").feature_names == ("x",)
    assert "the index row is the number of the row and is left out" in caplog.text
    for cell in ([1, 2], {"a": 1}):
        with pytest.raises(UsageError, match=r"row 1: column x has .*a finite number is expected"):
            read(table.assign(x=pd.Series([cell, cell], dtype=object)), name="a.parquet")
    floats = pd.DataFrame({"unit": [1.0, 2.0], "time": [1, 1], "x": pd.array([True, None], dtype="boolean")})
    with pytest.raises(UsageError, match="column x has no value in any row of unit 2"):
        read(floats, name="a.parquet")


def test_a_workbook(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    table = pd.DataFrame({"unit": ["007", "8"], "time": pd.to_datetime(["2024-01-01", "2024-01-02"]), "x": [1.5, 2]})
    sequences = read(table, name="a.xlsx")
    assert sequences.unit_names == ("007", "8")
    assert sequences.features[:, 0].tolist() == [1.5, 2]
    with pytest.raises(UsageError, match=r"a.xlsx, row 3: column x has 'a'"):
        read(pd.DataFrame({"unit": [1, 1], "time": [1, 2], "x": [2, "a"]}), name="a.xlsx")
    above = pd.DataFrame([["plant 7", None, None], ["unit", "time", "x"], ["A", 1, 2], ["A", 2, "a"]])
    with pytest.raises(UsageError, match=r"a.xlsx, row 5: column x has 'a'"):
        read(above, name="a.xlsx", skip_lines=2)  # pandas writes a header of its own
    same = pd.DataFrame({"unit": pd.Series([7, "7"], dtype=object), "time": [1, 2], "x": [2, 3]})
    assert read(same, name="a.xlsx").num_units == 1
    assert (
        "1 names of units differ from others in blanks at their ends, or in being a number and a text," in caplog.text
    )
    with pytest.raises(UsageError, match=r"dataset.sheet=B: .*a.xlsx has Sheet1"):
        read(table, name="a.xlsx", sheet="B")


def test_a_broken_archive(read: Read) -> None:
    whole = gzip.compress(b"unit,time,x\nA,1,2\n")
    assert _values(read, whole, name="a.csv.gz") == [[2]]
    with pytest.raises(UsageError, match=r"a.csv.gz cannot be read"):
        read(whole[:-9], name="a.csv.gz")


def test_flags_of_events(read: Read) -> None:
    for no, yes in (("nein", "JA"), ("off", "on"), ("0.0", "1.0"), ("False", "true"), ("no", "Yes"), ("N", "Y")):
        sequences = read(f"unit,time,x,f\nA,1,2,{no}\nA,2,3,{yes}\nB,1,2,{no}\n", event_column="f")
        assert sequences.unit_event_observed.tolist() == [True, False]
    text = "unit,time,x,f\nA,1,2,ok\nA,2,3,broken\n"
    with pytest.raises(UsageError, match=r"line 2: column f has 'ok', 0 or 1 is expected.*dataset.failure_kinds"):
        read(text, event_column="f")
    assert read(text, event_column="f", failure_kinds="broken").event_observed.all()


def test_chunks_do_not_part_a_unit(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    names = np.repeat([str(n) if n < 900 else f"{n}B" for n in range(1000)], 30)
    table = pd.DataFrame(np.zeros((30_000, 40), dtype=int)).add_prefix("s").assign(unit=names)
    table["time"] = np.tile(np.arange(30), 1000)
    sequences = read(table.to_csv(index=False))
    assert sequences.num_units == 1000
    assert (sequences.lifetimes == 30).all()

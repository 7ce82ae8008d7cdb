"""Texts of runs on screens and in spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.table import Table
from rich.text import Text

from ddrsa.analysis.tables import write_tables
from ddrsa.screen import PlainConsole
from ddrsa.texts import as_cell, count_of, printable

ESCAPES = ["\x1b]0;owned\x07", "\x1b[31mred", "a\rb", "\x9b2J", "\u202eevil", "\u2066x", "\x08\x08"]


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_that_a_run_has_written_commands_the_terminal(text: str) -> None:
    shown = printable(f"one {text} two")
    assert all(each.isprintable() for each in shown)
    console = PlainConsole(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=200)
    table = Table("name", title=f"[bold]{text}[/]")
    table.add_row(Text(text, style="red"))
    console.print(table)
    console.print(f"one {text} two", markup=False)
    assert isinstance(console.file, io.StringIO)
    shown = re.sub(r"\x1b\[[\d;]*m", "", console.file.getvalue())  # rich's own colours
    assert all(each.isprintable() or each == "\n" for each in shown)


def test_lines_tabs_and_letters_of_any_script_stay() -> None:
    text = "a\tb\nmaschinenschlüssel 機械"
    assert printable(text) == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|'/C calc'!A0", "'=cmd|'/C calc'!A0"),
        ("+1+cmd|x", "'+1+cmd|x"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\\x0d=1"),
        ("\uff1dcmd", "'\uff1dcmd"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        ("-inf", "-inf"),
        ("a=b", "a=b"),
        (-0.5, -0.5),
        (None, None),
    ],
)
def test_no_cell_is_a_formula(value: object, cell: object) -> None:
    assert as_cell(value) == cell


def test_tables_are_written_so_names_of_columns_too(tmp_path: Path) -> None:
    table = pd.DataFrame({"=a": ["=1+1", "b"], "number": [-1.5, 2.0], "text": pd.Series(["@x", None], dtype="string")})
    (path,) = write_tables({"runs": table}, tmp_path)
    with path.open(newline="") as stream:
        assert list(csv.reader(stream)) == [["'=a", "number", "text"], ["'=1+1", "-1.5", "'@x"], ["b", "2.0", ""]]
    assert list(table) == ["=a", "number", "text"]


def test_one_is_not_many() -> None:
    assert [count_of(number, "run") for number in (0, 1, 2, 1.0, 0.5)] == [
        "0 runs",
        "1 run",
        "2 runs",
        "1 run",
        "0.5 runs",
    ]
    assert [count_of(number, "run has", "runs have") for number in (1, 3)] == ["1 run has", "3 runs have"]

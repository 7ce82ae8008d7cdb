"""Events of units: in their rows, in a file of their own, and of units that still run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ddrsa.data.sequences import Sequences
from ddrsa.errors import UsageError

Read = Callable[..., Sequences]

ROWS = "unit,time,x\n" + "".join(f"{unit},2024-01-01 {h:02}:00,{h}\n" for unit in ("C-2", "C-10") for h in range(10))
LOG = """unit,time,kind
C-2,2024-01-01 05:10,repair
C-2,2024-01-01 03:20,failure
C-10,2024-01-01 04:00,service
"""
KINDS: dict[str, Any] = {"events_kind_column": "kind", "failure_kinds": ["failure"], "reset_kinds": ["repair"]}


def _lives(sequences: Sequences) -> dict[str, tuple[Any, Any, bool]]:
    """By the title of a unit: its values of x, its times to event, and whether the event was seen."""
    ends = [*sequences.starts[1:], sequences.num_rows]
    return {
        title: (
            sequences.features[start:end, 0].tolist(),
            sequences.time_to_event[start:end].tolist(),
            bool(sequences.event_observed[start]),
        )
        for title, start, end in zip(sequences.unit_titles, sequences.starts, ends, strict=True)
    }


def test_a_log_of_failures_and_repairs(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    sequences = read(ROWS, events_path=str(tmp_path / "log.txt"), **KINDS)
    assert _lives(sequences) == {
        "C-2 (life 1)": ([0, 1, 2, 3], [3, 2, 1, 0], True),
        "C-2 (life 2)": ([6, 7, 8, 9], [3, 2, 1, 0], False),
        "C-10 (life 1)": (list(range(10)), list(range(9, -1, -1)), False),
    }
    assert sequences.unit_groups[0] == sequences.unit_groups[1] != sequences.unit_groups[2]
    assert "neither failure nor reset, and not used: service (1)" in caplog.text
    assert "2 rows between a failure and the reset behind it: left out" in caplog.text


def test_maintenance_that_makes_a_unit_as_new(read: Read, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    options = {**KINDS, "reset_kinds": ["repair", "service"]}
    lives = _lives(read(ROWS, events_path=str(tmp_path / "log.txt"), **options))
    assert lives["C-10 (life 1)"] == ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], False)
    assert lives["C-10 (life 2)"][0] == [5, 6, 7, 8, 9]


def test_a_failure_behind_the_last_row(read: Read, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("machine;when\nC-10;01.01.2024 12:30\n")
    keys = {"events_unit_column": "machine", "events_time_column": "when"}
    lives = _lives(read(ROWS, events_path=str(tmp_path / "log.txt"), **keys))
    assert lives["C-10"] == (list(range(10)), list(range(12, 2, -1)), True)
    assert not lives["C-2"][2]


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("unit,time\nC-2,2024-01-01 03:00\nC-2,2024-01-01 03:00\n", "1 event is there twice, and left out"),
        ("unit,time\nC-2,2024-01-01\n", "the events have dates alone, and are taken to have been at 0:00"),
        ("unit,time\nC-2,2034-01-01 03:00\n", "of C-2 by 3652 days 18:00:00: a record that broke off, or a wrong time"),
    ],
)
def test_a_log_that_is_used_with_a_word(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture, log: str, message: str
) -> None:
    (tmp_path / "log.txt").write_text(log)
    assert read(ROWS, events_path=str(tmp_path / "log.txt"), after_event="new_unit").event_observed.any()
    assert message in caplog.text


def test_events_without_a_kind_are_counted(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log.txt").write_text("unit,time,kind\nC-2,2024-01-01 09:00,failure\nC-10,2024-01-01 03:00,\n")
    read(ROWS, events_path=str(tmp_path / "log.txt"), events_kind_column="kind", failure_kinds=["failure"])
    assert "column kind: 1 event has no kind: not used" in caplog.text


@pytest.mark.parametrize(
    ("log", "options", "message"),
    [
        ("unit,time\nC-2,2024-01-01T03:00Z\n", {}, "the times of the events name their zone and those of the rows do"),
        ("unit,time\nC-2,2024-01-01 03:00\n", {}, r"unit C-2 comes back after its event.*\(6 rows of 1 unit\)"),
        (
            "unit,time\nQ,2024-01-01 03:00\n",
            {},
            "the events are of units that have no rows: Q; the rows are of C-2, C-10",
        ),
        ("unit,time\nC-2,3\n", {}, "must both be dates, or both be numbers"),
        ("name,time\nC-2,3\n", {}, r"dataset.events_unit_column is 'unit', but .*log.txt has name, time"),
        ("unit,time\n,2024-01-01\n", {}, r"log.txt, line 2: column unit has no value"),
        ("unit,time\nC-2,soon\n", {}, r"log.txt, line 2: column time has 'soon'"),
        (
            LOG,
            {**KINDS, "failure_kinds": ["fail"]},
            "dataset.failure_kinds has 'fail', but column kind has failure, rep",
        ),
        (LOG, {"events_kind_column": "kind"}, "dataset.failure_kinds is empty"),
        (
            LOG,
            {**KINDS, "reset_kinds": ["failure"]},
            "'failure' is in dataset.failure_kinds and in dataset.reset_kinds",
        ),
    ],
)
def test_a_log_that_cannot_be_used(read: Read, tmp_path: Path, log: str, options: dict[str, Any], message: str) -> None:
    (tmp_path / "log.txt").write_text(log)
    with pytest.raises(UsageError, match=message) as caught:
        read(ROWS, events_path=str(tmp_path / "log.txt"), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "log", "options"),
    [
        ("2024-01-01T{h:02}:00Z", "1704078000", {"events_date_format": "epoch_s"}),
        ("2024-01-01 {h:02}:00", "01/01/2024 3:00 AM", {"events_date_format": "%d/%m/%Y %I:%M %p"}),
        # By the format of the rows, or else as they show themselves.
        ("01/02/2024 {h:02}:00", "01/02/2024 03:00", {"date_format": "%m/%d/%Y %H:%M"}),
        ("01/02/2024 {h:02}:00", "2024-01-02T03:00", {"date_format": "%m/%d/%Y %H:%M"}),
        ("45292.{h}", "45292.3", {"date_format": "excel"}),
        ("45292.{h}", "01.01.2024 07:12", {"date_format": "excel"}),
    ],
)
def test_a_log_writes_its_times_in_its_own_way(
    read: Read, tmp_path: Path, rows: str, log: str, options: dict[str, Any]
) -> None:
    text = "unit,time,x\n" + "".join(f"A,{rows.format(h=h)},{h}\n" for h in range(10))
    (tmp_path / "log.txt").write_text(f"unit,time\nA,{log}\n")
    lives = _lives(read(text, events_path=str(tmp_path / "log.txt"), after_event="new_unit", **options))
    assert lives["A (life 1)"] == ([0, 1, 2, 3], [3, 2, 1, 0], True)


def test_messages_about_the_times_of_a_log_name_its_own_key(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for log, message in (
        ("03/04/2024 10:00", r"log.txt, line 2: .*one of 'dataset.events_date_format=%m/%d/%Y %H:%M' or"),
        (
            "1704078000",
            "must both be dates, or both be numbers; dataset.date_format and dataset.events_date_format say",
        ),
    ):
        (tmp_path / "log.txt").write_text(f"unit,time\nC-2,{log}\n")
        with pytest.raises(UsageError, match=message):
            read(ROWS, events_path=str(tmp_path / "log.txt"))
    assert "column time may be dates: dataset.events_date_format=epoch_s" in caplog.text
    with pytest.raises(UsageError, match=r"dataset.events_date_format=epoch_s: it is of dataset.events_path, which"):
        read(ROWS, events_date_format="epoch_s")


def test_a_state_that_lasts_is_no_event(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    text = "unit,time,x,down\n" + "".join(f"A,{t},{t},{int(t >= 3)}\n" for t in range(6))
    assert list(_lives(read(text, event_column="down", after_event="drop"))) == ["A"]
    assert "an alarm or a state" not in caplog.text
    read(text, event_column="down", after_event="new_unit")
    assert "column down tells a failure in 2 rows that follow another one: an alarm or a state" in caplog.text


def test_a_kind_of_whole_units(read: Read, tmp_path: Path) -> None:
    (tmp_path / "machines.txt").write_text("unit,status,plant\nC-2,failed,01\nC-10,running,1\n")
    keys: dict[str, Any] = {"attributes_path": str(tmp_path / "machines.txt"), "event_column": "status"}
    sequences = read(ROWS, failure_kinds=["failed"], group_column="plant", **keys)
    assert {title: seen for title, (_, _, seen) in _lives(sequences).items()} == {"C-2": True, "C-10": False}
    # The plants 01 and 1 are two.
    assert len(set(sequences.unit_groups.tolist())) == 2


def test_kinds_in_the_rows_themselves(read: Read) -> None:
    text = "unit,time,x,e\nA,1,1,\nA,2,2,failure\nA,3,3,\nA,4,4,repair\nA,5,5,\nA,6,6,\n"
    lives = _lives(read(text, event_column="e", failure_kinds=["failure"], reset_kinds=["repair"]))
    assert lives == {"A (life 1)": ([1, 2], [1, 0], True), "A (life 2)": ([5, 6], [1, 0], False)}


@pytest.mark.parametrize("seed", range(6))
def test_lives_are_those_of_a_brute_force(read: Read, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = sorted(rng.choice(29, 6, replace=False).tolist())
    kinds = list(rng.permutation(["f", "r"] * 3))
    # Of two failures without a repair between them the second says what `after_event` does: another test.
    events = [
        (t, k) for n, (t, k) in enumerate(zip(drawn, kinds, strict=True)) if k == "r" or kinds[n - 1 : n] != ["f"]
    ]
    (tmp_path / "log.txt").write_text("unit,time,kind\n" + "".join(f"A,{t},{k}\n" for t, k in events))
    expected: list[tuple[list[int], bool]] = []
    rows: list[int] = []
    runs = True
    for time in range(30):
        if runs or not any(k == "r" for t, k in events if t >= time):  # new_unit: what no repair follows runs again
            rows.append(time)
        for kind in [k for t, k in events if t == time]:
            if kind == "f" and rows:
                expected, rows, runs = [*expected, (rows, True)], [], False
            elif kind == "r":
                expected, rows, runs = ([*expected, (rows, False)] if rows else expected), [], True
    expected += [(rows, False)] if rows else []
    keys: dict[str, Any] = {"events_kind_column": "kind", "failure_kinds": ["f"], "reset_kinds": ["r"]}
    text = "unit,time,x\n" + "".join(f"A,{t},{t}\n" for t in range(30))
    found = read(text, events_path=str(tmp_path / "log.txt"), after_event="new_unit", **keys)
    assert [(list(map(int, values)), seen) for values, _, seen in _lives(found).values()] == expected


def test_units_that_run_are_cut_at_their_events(read: Read) -> None:
    text = "unit,time,x,failed\n" + "".join(f"A,{t},{t},{int(t == 3)}\n" for t in range(1, 7)) + "B,1,1,0\nB,2,2,0\n"
    keys: dict[str, Any] = {"event_column": "failed", "running": True}
    lives = _lives(read(text, after_event="new_unit", **keys))
    assert lives["A (life 2)"] == ([4, 5, 6], [2, 1, 0], False)
    assert len(lives) == 2
    for after_event in ("error", "drop"):
        with pytest.raises(UsageError, match=r"unit A comes back after its event, .*dataset.after_event=new_unit"):
            read(text, after_event=after_event, **keys)


def test_units_that_run_need_no_column_of_events(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    text = "unit,time,x\nA,1,1\nA,2,2\n"
    keys: dict[str, Any] = {"event_column": "failed", "running": True}
    assert not read(text, **keys).event_observed.any()
    assert caplog.text == ""
    read(text, after_event="new_unit", **keys)
    assert "there is no column failed: a repair within the rows is not seen" in caplog.text
    read("unit,time,x,failed\nA,1,1,\nA,2,2,yes\n", **keys)
    assert "failed at the end of the rows, though they are said to run: A" in caplog.text


def test_a_log_of_units_that_run(read: Read, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(LOG)
    lives = _lives(read(ROWS, events_path=str(tmp_path / "log.txt"), running=True, **KINDS))
    assert list(lives) == ["C-2 (life 2)", "C-10 (life 1)"]
    assert lives["C-2 (life 2)"][0] == [6, 7, 8, 9]
    (tmp_path / "log.txt").write_text("unit,time,kind\nC-2,2024-01-01 03:20,service\n")
    assert len(read(ROWS, events_path=str(tmp_path / "log.txt"), running=True, **KINDS).unit_names) == 2


def test_attributes_of_units(read: Read, tmp_path: Path) -> None:
    (tmp_path / "machines.txt").write_text("name;model;age\nC-2;m1;3,5\nC-10;m2;4\nC-11;m3;5\n")
    keys: dict[str, Any] = {
        "attributes_path": str(tmp_path / "machines.txt"), "attributes_unit_column": "name",
        "categorical_columns": ["model"], "decimal": "comma",
    }  # fmt: skip
    sequences = read(ROWS, **keys)
    assert sequences.feature_names == ("x", "age", "model=m1", "model=m2")
    assert sequences.features[[0, 10], 1:].tolist() == [[3.5, 1, 0], [4, 0, 1]]
    for text, message in (
        ("name,model\nC-2,m1\n", r"machines.txt has no row of the units C-10"),
        ("name,model\nC-2,m1\nC-2,m2\nC-10,m\n", r"machines.txt, line 3: column name has 'C-2', and another row"),
        ("name,x\nC-2,1\nC-10,1\n", "both have a column x"),
        ("unit,x\nC-2,1\n", r"dataset.attributes_unit_column is 'name', but .*machines.txt has unit, x"),
    ):
        (tmp_path / "machines.txt").write_text(text)
        with pytest.raises(UsageError, match=message):
            read(ROWS, **keys)


def test_a_second_row_of_the_same_attributes_is_one(read: Read, tmp_path: Path) -> None:
    (tmp_path / "machines.txt").write_text("unit,age\nC-2,1\nC-2,1\nC-10,2\n")
    assert read(ROWS, attributes_path=str(tmp_path / "machines.txt")).features[:, 1].tolist() == [1] * 10 + [2] * 10


def test_events_of_a_dataframe_are_in_the_file_of_the_options(tmp_path: Path) -> None:
    from ddrsa.data.frame import read_frame
    from ddrsa.data.options import TableOptions

    (tmp_path / "log.txt").write_text(LOG)
    frame = pd.DataFrame(
        {"unit": ["C-2"] * 10, "time": pd.date_range("2024-01-01", periods=10, freq="h"), "x": range(10)}
    )
    options = TableOptions(path="of no use", events_path=str(tmp_path / "log.txt"), **KINDS)
    units, names = read_frame(frame, options)
    assert names.tolist() == ["C-2 (life 1)", "C-2 (life 2)"]
    assert units.unit_event_observed.tolist() == [True, False]

"""Rows of training_log.csv, and what is damaged in them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from ddrsa.rundir.epoch_rows import COLUMNS, FIELDS, read_rows
from ddrsa.training.epoch_log import EpochLog, EpochRecord


@pytest.fixture
def file(tmp_path: Path) -> Path:
    log = EpochLog(tmp_path / "training_log.csv", 0)
    for epoch in (1, 2, 3):
        log.append(EpochRecord(epoch, 0.1 + epoch, 1 / 3, 2.5e-7 * epoch, 1 / 3, 0.01, 12.5))
    return log.path


def test_the_fields_are_those_of_a_record() -> None:
    assert tuple(field.name for field in fields(EpochRecord)) == FIELDS


def test_rows_are_read_as_they_were_written(file: Path) -> None:
    rows, damaged = read_rows(file)
    assert damaged == []
    assert rows[1] == {
        "epoch": "2", "train_loss": "2.1", "validation_loss": "0.3333333333333333", "validation_nll": "5e-07",
        "best_validation_loss": "0.3333333333333333", "learning_rate": "0.01", "seconds": "12.5",
    }  # fmt: skip
    assert read_rows(file.parent / "none") == ([], [])


def test_no_flipped_bit_and_no_other_digit_of_a_row_goes_unnoticed(file: Path) -> None:
    content = file.read_bytes()
    whole, _ = read_rows(file)
    begin = content.index(b"\n") + 1
    row = content.index(b"\r\n", begin) - begin
    changes = [(place, bit) for place in range(begin, begin + row) for bit in range(8)]
    for place, bit in changes:
        file.write_bytes(bytes([*content[:place], content[place] ^ 1 << bit, *content[place + 1 :]]))
        rows, damaged = read_rows(file)
        assert damaged
        assert rows in (whole[1:], whole[2:])  # the end of a line may have been made, or lost
    assert len(changes) > 300


@pytest.mark.parametrize("kept", range(1, 70))
def test_a_row_that_was_cut_is_none(file: Path, kept: int) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines[-1].strip()) == 70
    file.write_bytes(b"".join([*lines[:-1], lines[-1][:kept]]))
    rows, damaged = read_rows(file)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert damaged == [4]


@pytest.mark.parametrize("field", ["1" * 200_000, f'"{"1" * 200_000}"', "", '"', "\0"])
def test_what_is_no_row_is_damaged_however_long_it_is(file: Path, field: str) -> None:
    with file.open("a", newline="") as stream:
        stream.write(f"4,{field}\n\n")
    rows, damaged = read_rows(file)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert damaged == [5, 6]


def test_rows_that_another_program_has_quoted_are_read(file: Path) -> None:
    whole = read_rows(file)
    head, *lines = file.read_text().splitlines()
    file.write_text("\n".join([head, *(",".join(f'"{value}"' for value in line.split(",")) for line in lines)]))
    assert read_rows(file) == whole


def test_a_damaged_head_costs_no_row(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"epoch", b"Epoch", 1))
    rows, damaged = read_rows(file)
    assert len(rows) == 3
    assert damaged == [1]


def test_an_epoch_that_was_done_again_counts_once(file: Path) -> None:
    with file.open("a", newline="") as stream:
        stream.write(file.read_text().splitlines()[1].strip() + "\n")
    assert [row["epoch"] for row in read_rows(file)[0]] == ["2", "3", "1"]


def test_a_file_of_an_earlier_version_is_read_and_goes_on_with_checksums(tmp_path: Path) -> None:
    file = tmp_path / "training_log.csv"
    file.write_text(",".join(FIELDS) + "\n1,0.1,0.2,0.3,0.2,0.01,1.5\n2,nan,0.2,0.3,0.2,0.01,1.5\n3,0.1\n")
    rows, damaged = read_rows(file)
    assert [row["epoch"] for row in rows] == ["1"]
    assert damaged == [3, 4]
    EpochLog(file, 1)
    assert file.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read_rows(file) == (rows, [])


def test_a_file_of_a_version_with_fewer_columns_is_read(tmp_path: Path) -> None:
    file = tmp_path / "training_log.csv"
    file.write_text("epoch,train_loss,validation_loss\n1,0.1,0.2\n2,0.1\n")
    assert read_rows(file) == ([{"epoch": "1", "train_loss": "0.1", "validation_loss": "0.2"}], [3])
    EpochLog(file, 1)
    rows, damaged = read_rows(file)
    assert (rows[0]["validation_loss"], rows[0]["seconds"], damaged) == ("0.2", "nan", [])

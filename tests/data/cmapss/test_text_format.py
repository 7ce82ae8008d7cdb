from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ddrsa.data.cmapss.text_format import COLUMNS, FEATURES, read_rul, read_table, sequences_from_table, write_table
from ddrsa.errors import DataError


def _line(unit: object, cycle: object, *cells: object) -> str:
    rest = [*cells, *[f"{number}.5" for number in range(24 - len(cells))]]
    return " ".join(map(str, [unit, cycle, *rest])) + "  \n"


def _write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "train.txt"
    path.write_text("".join(lines))
    return path


def test_columns_are_read_by_position(tmp_path: Path) -> None:
    path = _write(tmp_path, _line(3, 1, -0.0007, 100.0), "\n", _line(3, 2), _line(7, 1))
    table = read_table(path)
    assert list(table.columns) == list(COLUMNS)
    assert table["unit"].tolist() == [3, 3, 7]
    assert table["cycle"].tolist() == [1, 2, 1]
    assert table["setting_1"].tolist() == [-0.0007, 0.5, 0.5]
    assert table["sensor_21"].tolist() == [21.5, 23.5, 23.5]


def test_gzip_is_read_as_plain(tmp_path: Path) -> None:
    plain = _write(tmp_path, _line(1, 1), _line(1, 2))
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    pd.testing.assert_frame_equal(read_table(packed), read_table(plain))


def test_marks_and_line_ends_of_windows_are_no_cells(tmp_path: Path) -> None:
    plain = read_table(_write(tmp_path, _line(1, 1), _line(1, 2)))
    (tmp_path / "marked.txt").write_text(_line(1, 1) + _line(1, 2), encoding="utf-8-sig", newline="\r\n")
    pd.testing.assert_frame_equal(read_table(tmp_path / "marked.txt"), plain)
    (tmp_path / "marked.txt.gz").write_bytes(gzip.compress((tmp_path / "marked.txt").read_bytes()))
    pd.testing.assert_frame_equal(read_table(tmp_path / "marked.txt.gz"), plain)
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "RUL.txt").write_text("112\n98\n", encoding=encoding, newline="\r\n")
        assert read_rul(tmp_path / "RUL.txt", 2).tolist() == [112, 98]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        ([_line(1, 1), "1 2 3\n"], "line 2: 3 columns found, 26 are expected"),
        ([_line(1, 1), "\n", _line(1, 2) + "1 3\n"], "line 4: 2 columns found"),
        ([_line(1, 1), _line(1, 2).strip() + " 9\n"], "line 2: 27 columns found"),
        ([_line(1, 1).strip() + " 9\n", _line(1, 2)], "line 1: 27 columns found"),
        (["1 1\n", "1 2\n"], "line 1: 2 columns found"),
        ([_line(1, 1), _line(1, 2, 0, 0, 0, "518,67")], "line 2, column sensor_1: '518,67' is not a number"),
        ([_line("unit", "cycle")], "line 1, column unit: 'unit' is not a number"),
        ([_line(1, 1), _line(1, 2, "NaN")], "line 2, column setting_1: 'NaN' is not a finite number"),
        ([_line(1, 1, 0, "-inf")], "line 1, column setting_2: '-inf' is not a finite number"),
        ([_line(1, 1, "NA")], "line 1, column setting_1: 'NA' is not a number"),
        ([_line(1.5, 1)], "unit 1.5 is not a whole number"),
        ([_line(1, 2), _line(1, 3)], "unit 1 starts at cycle 2, it must start at cycle 1"),
        ([_line(1, 1), _line(2, 2)], "unit 2 starts at cycle 2"),
        ([_line(1, 1), _line(4, 1), _line(4, 1)], "unit 4 has cycle 1 twice"),
        ([_line(1, 1), _line(1, 2), _line(1, 1)], "unit 1 goes back from cycle 2 to cycle 1"),
        ([_line(1, 1), _line(1, 3)], "unit 1 goes from cycle 1 to cycle 3"),
        ([_line(1, 1), _line(2, 1), _line(1, 1)], "unit 1 comes back"),
    ],
)
def test_a_broken_table_is_named_in_one_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = _write(tmp_path, *lines)
    with pytest.raises(DataError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_cut_gzip_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.txt")
    cut = tmp_path / "cut.txt.gz"
    cut.write_bytes(gzip.compress(b"".join(_line(1, n, np.sqrt(n)).encode() for n in range(1, 500)))[:-200])
    with pytest.raises(DataError, match=r"cut\.txt\.gz cannot be read"):
        read_table(cut)
    cut.write_bytes(gzip.compress(b"112\n")[:-9])
    with pytest.raises(DataError, match=r"cut\.txt\.gz cannot be read"):
        read_rul(cut, 1)


def test_rul_has_one_number_for_each_unit(tmp_path: Path) -> None:
    path = tmp_path / "RUL.txt"
    path.write_text("112 \n98 \n\n0\n")
    assert read_rul(path, 3).tolist() == [112, 98, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("112\n98\n", "has 2 numbers, one for each of the 3 units"),
        ("1\n2\n3\n4\n", "has 4 numbers"),
        ("", "has 0 numbers"),
        ("1\n-2\n3\n", "line 2: the remaining useful life -2 is negative"),
        ("1\nx\n3\n", "line 2: 'x' is not a number"),
        ("1\nnan\n3\n", "line 2: 'nan' is not a finite number"),
        ("1 2\n3\n", "line 1: 2 numbers found"),
    ],
)
def test_a_broken_rul_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "RUL.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_rul(path, 3)


def test_times_count_down_to_the_failure_or_to_the_rul(tmp_path: Path) -> None:
    # Ids out of order: the file's order holds, not that of the numbers.
    table = read_table(_write(tmp_path, _line(9, 1), _line(9, 2), _line(9, 3), _line(2, 1), _line(2, 2)))
    sequences = sequences_from_table(table, censored=[2])
    assert sequences.time_to_event.tolist() == [2, 1, 0, 1, 0]
    assert sequences.event_observed.tolist() == [True, True, True, False, False]
    assert sequences.feature_names == FEATURES
    official = sequences_from_table(table, rul=np.array([10.0, 40.0]))
    assert official.time_to_event.tolist() == [12, 11, 10, 41, 40]
    assert official.event_observed.all()


@pytest.mark.parametrize("suffix", ["txt", "txt.gz"])
def test_nasa_file_survives_reading_and_writing(nasa_dir: Path, tmp_path: Path, suffix: str) -> None:
    table = read_table(nasa_dir / "turbofan" / "train_FD001.txt.gz")
    write_table(tmp_path / f"copy.{suffix}", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / f"copy.{suffix}"), table, check_exact=True)

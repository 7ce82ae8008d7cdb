from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import pytest

from ddrsa.data.cmapss.turbofan import read_turbofan, source_files
from ddrsa.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two engines that fail after 3 and 2 cycles, and a test engine with 2 cycles and 7 more to live."""
    turbofan = tmp_path / "turbofan"
    turbofan.mkdir()
    rest = " 0.1" * 24
    (turbofan / "train_FD003.txt").write_text(
        "".join(f"{u} {c}{rest}\n" for u, n in [(1, 3), (2, 2)] for c in range(1, n + 1))
    )
    (turbofan / "test_FD003.txt.gz").write_bytes(gzip.compress(f"1 1{rest}\n1 2{rest}\n".encode()))
    (turbofan / "RUL_FD003.txt").write_text("7\n")
    return turbofan


def test_training_runs_to_failure_and_the_test_set_stops_before(folder: Path) -> None:
    parts = read_turbofan(*source_files(folder.parent, "FD003"))
    assert parts["run_to_failure"].time_to_event.tolist() == [2, 1, 0, 1, 0]
    assert parts["official"].time_to_event.tolist() == [8, 7]
    assert parts["official"].event_observed.all()


def test_no_official_test_set_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "test_FD003.txt.gz").unlink()
    (folder / "RUL_FD003.txt").unlink()
    with caplog.at_level(logging.WARNING):
        parts = read_turbofan(*source_files(folder.parent, "FD003"))
    assert set(parts) == {"run_to_failure"}
    assert "no official test set" in caplog.text


@pytest.mark.parametrize("name", ["test_FD003.txt.gz", "RUL_FD003.txt"])
def test_half_an_official_test_set_is_an_error(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"has no {name.removesuffix('.gz')}"):
        source_files(folder.parent, "FD003")


def test_phm08_is_train_txt_without_a_test_set(folder: Path) -> None:
    (folder / "train_FD003.txt").rename(folder / "train.txt")
    parts = read_turbofan(*source_files(folder.parent, "PHM08"))
    assert set(parts) == {"run_to_failure"}


@pytest.mark.parametrize(
    ("subset", "name"), [("FD001", "train_FD001.txt, test_FD001.txt, RUL_FD001.txt"), ("PHM08", "train.txt")]
)
def test_missing_files_say_what_to_do(tmp_path: Path, subset: str, name: str) -> None:
    with pytest.raises(DataError) as caught:
        source_files(tmp_path, subset)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        str(tmp_path / "turbofan"),
        name,
        "NASA Prognostics Center of Excellence",
        "Turbofan Engine Degradation Simulation Data Set",
        "data_dir",
        "DDRSA_DATA_DIR",
        "dataset=simulated",
    ):
        assert part in message
    assert ("python -m ddrsa.data.download turbofan" in message) == (subset == "FD001")


# Units, rows and lifetimes as in table 1 of the readme that comes with NASA's files, and in the literature.
@pytest.mark.parametrize(
    ("subset", "train_units", "train_rows", "test_units", "test_rows"),
    [("FD001", 100, 20631, 100, 13096), ("FD002", 260, 53759, 259, 33991), ("FD004", 249, 61249, 248, 41214)],
)
def test_nasa_sets_have_the_published_sizes(
    nasa_dir: Path, subset: str, train_units: int, train_rows: int, test_units: int, test_rows: int
) -> None:
    parts = read_turbofan(*source_files(nasa_dir, subset))
    train, official = parts["run_to_failure"], parts["official"]
    assert (train.num_units, train.num_rows) == (train_units, train_rows)
    assert (official.num_units, official.num_rows) == (test_units, test_rows)
    if subset == "FD001":
        assert (train.lifetimes.min(), train.lifetimes.max()) == (128, 362)
        assert np.append(official.starts[1:], official.num_rows)[0] == 31
        assert official.time_to_event[30] == 112  # the first line of RUL_FD001.txt

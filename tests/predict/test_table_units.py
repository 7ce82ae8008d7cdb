"""Predictions of a run on the user's own table, for files that differ from the training's in one thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ddrsa
from ddrsa.predict.__main__ import main
from ddrsa.rundir.training import TrainingDirectory

START = pd.Timestamp("2024-03-01")
TINY = ["model=gru", "model.hidden_size=8", "lookback=6", "horizon=24", "num_epochs=10", "batch_size=32", "device=cpu",
        "learning_rate=0.03"]  # fmt: skip
KEYS = [
    *("dataset=table", "dataset.unit_column=machine", "dataset.event_column=failed", "dataset.after_event=new_unit"),
    "dataset.categorical_columns=[stage]",
]


def machine_rows(name: str, lives: list[int], stage: str, start: pd.Timestamp = START) -> pd.DataFrame:
    """A row each hour of a machine that is repaired after each failure; its temperature rises towards them."""
    rest = np.concatenate([np.arange(life)[::-1] for life in lives])
    return pd.DataFrame(
        {
            "machine": name,
            "time": start + pd.to_timedelta(np.arange(len(rest)), unit="h"),
            "temp": (60 + 20 * np.exp(-rest / 6)).round(3),
            "stage": stage,
            "failed": (rest == 0).astype(int),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingDirectory:
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    table = pd.concat(
        machine_rows(f"CMP-{number:03}", rng.integers(12, 30, 3).tolist(), str(number % 2)) for number in range(12)
    )
    # A gap makes pandas read the numbers as floats.
    table.loc[table.index[[7, 50]], "stage"] = ""
    table.to_csv(folder / "train.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DDRSA_CACHE_DIR", str(folder / "cache"))
        path = ddrsa.train([*KEYS, f"dataset.path={folder / 'train.csv'}", *TINY]).path
    return TrainingDirectory(path)


def predicted(run: TrainingDirectory, tmp_path: Path, table: pd.DataFrame, *arguments: str) -> pd.DataFrame:
    table.to_csv(tmp_path / "new.csv", index=False)
    given = [f"checkpoint={run.path}", f"dataset.path={tmp_path / 'new.csv'}", "cost=20", "explain=none"]
    assert main([*given, f"output={tmp_path / 'out.csv'}", *arguments]) == 0
    return pd.read_csv(tmp_path / "out.csv")


def test_a_machine_that_was_just_repaired_is_told_by_its_own_life(run: TrainingDirectory, tmp_path: Path) -> None:
    rows = machine_rows("CMP-001", [20, 20], "0").head(25)  # five hours after the repair
    known = predicted(run, tmp_path, rows, "alive=true")
    alone = predicted(run, tmp_path, rows.tail(5), "alive=true")
    assert (known["unit"].tolist(), known["cycle"].tolist()) == (["CMP-001 (life 2)"], [5])
    assert known["rul"].tolist() == pytest.approx(alone["rul"].tolist(), rel=1e-6)
    # Without the column the history is one life, and nothing says which of its rows lie before a repair.
    joined = predicted(run, tmp_path, rows.drop(columns="failed"), "alive=true")
    assert (joined["unit"].tolist(), joined["cycle"].tolist()) == (["CMP-001"], [25])


def test_without_the_column_of_events_alive_says_that_repairs_are_not_seen(
    run: TrainingDirectory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predicted(run, tmp_path, machine_rows("CMP-001", [20, 20], "0").head(25).drop(columns="failed"), "alive=true")
    assert "there is no column failed: a repair within the rows is not seen" in caplog.text


@pytest.mark.parametrize(("minutes", "shown"), [(10, "10min"), (120, "2h")])
def test_rows_of_another_step_are_refused_with_both(
    run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str], minutes: int, shown: str
) -> None:
    rows = machine_rows("CMP-001", [20], "0").head(12)
    rows["time"] = START + pd.to_timedelta(np.arange(12) * minutes, unit="min")
    rows.to_csv(tmp_path / "new.csv", index=False)
    arguments = [f"checkpoint={run.path}", f"dataset.path={tmp_path / 'new.csv'}", "alive=true", "cost=20"]
    assert main([*arguments, f"output={tmp_path / 'out.csv'}"]) == 2
    captured = capsys.readouterr()
    assert f"trained on rows that lie 1h apart, these lie {shown} apart; dataset.step=1h resamples" in captured.err
    assert not (tmp_path / "out.csv").exists()
    assert main([*arguments, "dataset.step=1h"]) == 0


def test_a_category_is_its_value_and_an_unseen_one_is_said(
    run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = machine_rows("CMP-001", [20], "1").head(15)
    expected = predicted(run, tmp_path, rows, "alive=true")
    for spelled in ("1.0", " 1", "1.00"):
        found = predicted(run, tmp_path, rows.assign(stage=spelled), "alive=true")
        assert found["rul"].tolist() == expected["rul"].tolist()
        assert found["warnings"].isna().all()
    capsys.readouterr()
    found = predicted(run, tmp_path, rows.assign(stage="2"), "alive=true")
    assert found["warnings"].tolist() == ["stage=2 is a category that no unit had in training"]
    assert "warning: unit CMP-001: stage=2 is a category" in capsys.readouterr().err


def test_what_was_repaired_is_said_once(
    run: TrainingDirectory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = [f"checkpoint={run.path}", "part=test", "cost=20", "explain=none", f"cache_dir={tmp_path / 'cache'}"]
    assert main(given) == 0
    assert caplog.text.count("values are missing") == 1

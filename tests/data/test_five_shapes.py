"""Five shapes of data as factories have them, each from its files to a decision: proposed, trained, predicted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ddrsa
from ddrsa.data.proposal.dataset_file import write_dataset_file
from ddrsa.data.proposal.propose import propose, try_out
from ddrsa.predict.__main__ import main as predict

ROOT = Path(__file__).parents[2]
TINY = ["model=gru", "model.hidden_size=4", "lookback=4", "num_epochs=1", "batch_size=256", "device=cpu"]


def _wearing(lives: list[int], rng: np.random.Generator) -> pd.DataFrame:
    """A row for each unit and age, with a value that rises to the failure."""
    unit = np.repeat(np.arange(len(lives)), lives)
    age = np.concatenate([np.arange(life) for life in lives])
    rest = np.repeat(lives, lives) - 1 - age
    heat = 60 + 30 * np.exp(-rest / 8) + rng.normal(0, 0.5, len(unit))
    return pd.DataFrame({"unit": unit, "age": age, "rest": rest, "heat": heat.round(3)})


def _german(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    table = _wearing([int(n) for n in rng.integers(15, 30, 12)], rng)
    start = pd.Timestamp("2024-06-01 06:00")
    text = pd.DataFrame(
        {
            "Anlage": "Kühler " + (table["unit"] + 1).astype(str),
            "Zeit": (start + pd.to_timedelta(table["age"], unit="h")).dt.strftime("%d.%m.%Y %H:%M"),
            "Temperatur [°C]": table["heat"].map(lambda value: f"{value:.3f}".replace(".", ",")),
            "Ausfall": np.where(table["rest"] == 0, "ja", "nein"),
        }
    )
    (folder / "data.csv").write_bytes(text.to_csv(index=False, sep=";").encode("cp1252"))
    return {"decimal": "comma", "separator": "semicolon", "encoding": "cp1252", "event_column": "Ausfall"}


def _compressors(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    events, tables = [], []
    for number in range(6):
        lives = [int(n) for n in rng.integers(12, 20, 3)]
        table = _wearing(lives, rng)
        # Between a failure and its repair the machine stands still for three hours, and is still read.
        hours = table["age"] + np.repeat(np.cumsum([0, *lives[:-1]]) + 4 * np.arange(3), lives)
        when = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, unit="h")
        tables.append(pd.DataFrame({"machine": f"CMP-{number:03}", "time": when, "heat": table["heat"]}))
        for life in range(2):
            failed = when[table["unit"] == life].max()
            events += [(f"CMP-{number:03}", failed + pd.Timedelta("20min"), "failure"),
                       (f"CMP-{number:03}", failed + pd.Timedelta("4h"), "repair")]  # fmt: skip
        down = [failed + pd.Timedelta(hours=1), failed + pd.Timedelta(hours=2), failed + pd.Timedelta(hours=3)]
        tables.append(pd.DataFrame({"machine": f"CMP-{number:03}", "time": down, "heat": 20.0}))
    pd.concat(tables).to_csv(folder / "data.csv", index=False)
    pd.DataFrame(events, columns=["machine", "when", "what"]).to_csv(folder / "log.csv", index=False)
    return {"events_path": str(folder / "log.csv"), "failure_kinds": ["failure"], "reset_kinds": ["repair"]}


def _parquet(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    table = _wearing([int(n) for n in rng.integers(15, 30, 12)], rng)
    table["maker"] = pd.Categorical(np.where(table["unit"] % 2 == 0, "north", "south"))
    table["failed"] = table["rest"] == 0
    table["unit"] = "P" + table["unit"].astype(str)
    table.rename(columns={"age": "cycle"}).drop(columns="rest").set_index(["unit", "cycle"]).to_parquet(
        folder / "data.parquet"
    )
    return {"path": str(folder / "data.parquet"), "categorical_columns": ["maker"], "time_column": "cycle"}


def _disks(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    table = _wearing([int(n) for n in rng.integers(15, 30, 60)], rng)
    failed = table["unit"] % 10 == 0
    table = table[failed | (table["rest"] > 6)]  # nine in ten still run
    frame = pd.DataFrame(
        {
            "date": (pd.Timestamp("2024-02-25") + pd.to_timedelta(table["age"], unit="D")).dt.strftime("%Y-%m-%d"),
            "serial_number": "Z" + table["unit"].astype(str),
            "capacity_bytes": 4_000_787_030_016,
            "failure": (table["rest"] == 0).astype(int),
            "smart_9_raw": 2**40 + 24 * table["age"],
            "smart_194_raw": table["heat"],
        }
    )
    frame.to_csv(folder / "data.csv", index=False)
    return {"unit_column": "serial_number", "time_column": "date", "event_column": "failure",
            "exclude_columns": ["capacity_bytes"]}  # fmt: skip


def _bench(folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    table = _wearing([int(n) for n in rng.integers(20, 40, 12)], rng)
    start = pd.Timestamp("2024-03-01T10:00:00")
    when = [(start + age * pd.Timedelta("100ms")).isoformat(timespec="milliseconds") for age in table["age"]]
    frame = pd.DataFrame({"run_id": table["unit"], "timestamp": [f"{time}Z" for time in when], "heat": table["heat"]})
    frame.to_csv(folder / "data.csv", index=False)
    return {"unit_column": "run_id", "time_column": "timestamp", "all_units_fail": True, "step": None}


@pytest.mark.slow
@pytest.mark.timeout(1200)  # three programs and a training
@pytest.mark.parametrize("make", [_german, _compressors, _parquet, _disks, _bench])
def test_three_commands(make: Callable[[Path, np.random.Generator], dict[str, Any]], tmp_path: Path) -> None:
    expected = make(tmp_path, np.random.default_rng(0))
    path = expected.get("path", "data.csv")
    events = [f"events={expected['events_path']}"] if "events_path" in expected else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DDRSA_CACHE_DIR": str(tmp_path / "cache")}

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ddrsa", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "the files can be read so" in command("describe", path, *events, "as=mine")
    sizes = ["model=tcn", "lookback=8", "horizon=16", "batch_size=16", "learning_rate=0.02", "num_epochs=15"]
    command("train", "--config-dir", "my_conf", "dataset=mine", *sizes, "device=cpu", "hydra.run.dir=run")
    said = command("predict", "checkpoint=run", "part=test", "before=0", "cost=20", "output=out.csv", "plots=plots")
    due = int(re.findall(r"intervene now: (\d+) of", said)[0])
    table = pd.read_csv(tmp_path / "out.csv", dtype={"unit": str})
    # At the row of the failure itself nearly all are to be stopped, and hardly any other.
    failed = table["time_to_event"].fillna(99) == 0
    assert table.loc[failed, "intervene"].mean() > 0.8
    assert due == table["intervene"].sum()
    assert said.count("  stop ") == min(due, 20)
    assert len(list((tmp_path / "plots").glob("*.png"))) == len(table)


@pytest.mark.parametrize("make", [_german, _compressors, _parquet, _disks, _bench])
def test_from_files_to_a_decision(
    make: Callable[[Path, np.random.Generator], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path / "cache"))
    expected = make(tmp_path, np.random.default_rng(0))
    path = str(expected.pop("path", tmp_path / "data.csv"))
    guesses = propose(path, events=expected.get("events_path"))
    assert {key: guesses[key].value for key in expected} == expected
    assert try_out(guesses) is None
    write_dataset_file(guesses, "mine", tmp_path / "my_conf")
    model = ddrsa.train(["dataset=mine", "horizon=12", *TINY], config_dir=tmp_path / "my_conf")
    capsys.readouterr()
    assert predict([f"checkpoint={model.path}", "cost=20", "alive=true", f"dataset.path={path}", "output=out.csv"]) == 0
    assert "intervene now: " in capsys.readouterr().out
    table = pd.read_csv("out.csv", dtype={"unit": str})
    names = {"_german": "Kühler 1", "_compressors": "CMP-000", "_parquet": "P0", "_disks": "Z0", "_bench": "0"}
    assert table["unit"].str.startswith(names[make.__name__]).any()
    assert table["rul"].between(0, 12).all()

"""The Python API: train, load and read_sweep, as a session or a notebook uses them."""

from __future__ import annotations

import logging
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import ddrsa
from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.options import AzureOptions, SimulatedOptions
from ddrsa.errors import ConfigError, DataError
from ddrsa.predict.__main__ import main as predict_command
from ddrsa.rundir.training import TrainingDirectory

ROOT = Path(__file__).parent.parent
SMALL = ["lookback=6", "horizon=20", "num_epochs=2", "batch_size=256", "model.hidden_size=4", "device=cpu"]
FLEET = [*SMALL, "dataset.num_units=10"]
PUMPS = [
    *("dataset=table", "dataset.path=pumps.csv", "dataset.unit_column=pump", "dataset.event_column=failed"),
    *("dataset.step=6h", "dataset.categorical_columns=[maker]", "dataset.exclude_columns=[operator]"),
    "dataset.after_event=new_unit",
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "api_cache"))
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path / "leases"))


def pumps(names: list[str], seed: int) -> pd.DataFrame:
    """Hourly rows of pumps, in no order, with gaps and missing values; the first half fail at their last row."""
    rng = np.random.default_rng(seed)
    tables = []
    for number, name in enumerate(names):
        life = int(rng.integers(100, 200))
        wear = np.exp((np.arange(life) - life) / 30)
        table = pd.DataFrame(
            {"pump": name, "time": pd.Timestamp("2025-03-01") + pd.to_timedelta(range(life), unit="h")}
        )
        table["temperature"] = 60 + 15 * wear + rng.normal(0, 1, life)
        table["maker"] = rng.choice(["north", "south"])
        table["operator"] = "night shift"
        table["failed"] = 0
        table.loc[rng.random(life) < 0.05, "temperature"] = np.nan
        if 2 * number < len(names):
            table.loc[life - 1, "failed"] = 1
        tables.append(table[(rng.random(life) < 0.9) | (table.index == life - 1) | (table.index == 0)])
    return pd.concat(tables).sample(frac=1, random_state=0)


@pytest.fixture(scope="module")
def pump_run(tmp_path_factory: pytest.TempPathFactory) -> ddrsa.TrainedModel:
    folder = tmp_path_factory.mktemp("pumps")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        pumps([f"P{number}" for number in range(24)], seed=0).to_csv("pumps.csv", index=False)
        return ddrsa.train([*PUMPS, *SMALL, "hydra.sweep.dir=sweep", f"cache_dir={folder / 'cache'}"])


def commanded(path: Path, *arguments: str) -> pd.DataFrame:
    """What python -m ddrsa.predict writes."""
    assert predict_command([f"checkpoint={path}", "output=out.csv", *arguments]) == 0
    return pd.read_csv("out.csv")


def all_tables(model: ddrsa.Forecaster, data: pd.DataFrame, rows: str, cost: float) -> pd.DataFrame:
    """What the methods return, in one table with the columns of the command."""
    decided = model.decide(data, rows=rows, cost=cost).drop(columns=["score", "threshold"])
    tables = [model.predict(data, rows=rows), decided]
    return pd.concat([*tables, model.hazards(data, rows=rows).add_prefix("hazard_")], axis=1).reset_index()


@pytest.mark.parametrize("rows", ["last", "all"])
def test_a_dataframe_gives_the_numbers_of_the_command_on_a_file(pump_run: ddrsa.TrainedModel, rows: str) -> None:
    data = pumps(["N9", "N10", "N2"], seed=1).drop(columns="failed")
    data.to_csv("new.csv", index=False)
    expected = commanded(pump_run.path, "dataset.path=new.csv", "alive=true", f"rows={rows}", "cost=10")
    found = all_tables(pump_run.load(), data.assign(remark="of no use"), rows, cost=10)
    assert found["unit"].drop_duplicates().tolist() == ["N2", "N9", "N10"]
    assert "time_to_event" not in found
    for column in ("time", "rul_date", "rul_lower_date", "rul_upper_date"):
        expected[column] = pd.to_datetime(expected[column])
        found[column] = found[column].astype(expected[column].dtype)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False, rtol=1e-6)


def test_turbofans_give_the_numbers_of_the_command_on_a_file(trained_run: TrainingDirectory) -> None:
    fleet = simulate_fleet(SimulatedOptions(num_units=4, simulation_seed=5)).table
    fleet.to_csv("fleet.csv", index=False)
    keys = ["dataset=table", "dataset.path=fleet.csv", "dataset.time_column=cycle", "alive=true", "cost=10"]
    expected = commanded(trained_run.path, *keys)
    found = all_tables(ddrsa.load(trained_run.path), fleet, "last", cost=10)
    assert expected.pop("time").tolist() == found["cycle"].tolist()
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False, rtol=1e-6)


def test_survival_is_the_product_of_the_hazards(trained_run: TrainingDirectory) -> None:
    model = ddrsa.load(trained_run.checkpoint_best)
    fleet = simulate_fleet(SimulatedOptions(num_units=3)).table
    hazards, survival = model.hazards(fleet, rows="all"), model.survival(fleet, rows="all")
    assert survival.columns.equals(pd.RangeIndex(24))
    assert survival.index.names == ["unit", "cycle"]
    assert survival.index.tolist() == list(fleet[["unit", "cycle"]].itertuples(index=False, name=None))
    np.testing.assert_allclose(survival, np.cumprod(1 - hazards.to_numpy(np.float64), axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(survival.sum(axis=1), model.predict(fleet, rows="all")["rul"], rtol=1e-5)
    once = model.forecast(fleet, rows="all")
    pd.testing.assert_frame_equal(once.survival(), survival)


def test_decisions_without_a_threshold_are_those_tuned_in_training(trained_run: TrainingDirectory) -> None:
    model, metrics = ddrsa.load(trained_run.path), trained_run.read_test_metrics()
    assert metrics is not None
    fleet = simulate_fleet(SimulatedOptions(num_units=3)).table
    for policy in ("oti", "time_to_event_threshold", "failure_probability"):
        tuned = metrics["validation"]["policies"][policy]["tuned"]["5%"]["threshold"]
        assert set(model.decide(fleet, policy=policy)["threshold"]) == {tuned}
    late = model.decide(fleet, policy="time_to_event_threshold", threshold=1e6)
    assert late["intervene"].all()
    assert late["score"].tolist() == pytest.approx(model.predict(fleet)["rul"].tolist())


def test_events_in_the_data_part_the_lives_as_in_training(pump_run: ddrsa.TrainedModel) -> None:
    first, second = pumps(["M1"], seed=2), pumps(["M1"], seed=3)
    second["time"] += pd.Timedelta(days=20)
    second["failed"] = 0
    both = pd.concat([first, second])
    found = pump_run.load().predict(both)
    assert found.index.get_level_values("unit").tolist() == ["M1 (life 1)", "M1 (life 2)"]
    assert found["time_to_event"].tolist()[0] == 0
    assert found["time_to_event"].isna().tolist() == [False, True]
    with pytest.raises(DataError, match="column failed has 7, 0 or 1 is expected"):
        pump_run.load().predict(both.assign(failed=7))


def fleet_without(column: str) -> pd.DataFrame:
    return simulate_fleet(SimulatedOptions(num_units=3)).table.drop(columns=column)


def test_what_is_wrong_with_a_dataframe_is_one_sentence(
    pump_run: ddrsa.TrainedModel, trained_run: TrainingDirectory
) -> None:
    data = pumps(["N1", "N2"], seed=1)
    model, turbofan = pump_run.load(), ddrsa.load(trained_run.path)
    fleet = simulate_fleet(SimulatedOptions(num_units=3)).table
    in_the_data: list[tuple[Callable[[], object], str]] = [
        (lambda: model.predict(data.drop(columns="pump")), "dataset.unit_column is 'pump', but the table has"),
        (lambda: model.predict(data.drop(columns="time")), "dataset.time_column is 'time', but the table has"),
        (lambda: model.predict(data.drop(columns="temperature")), "dataset.feature_columns is 'temperature', but"),
        (lambda: model.predict(data.drop(columns="maker")), "dataset.categorical_columns is 'maker', but"),
        (lambda: model.predict(data.assign(temperature="hot")), "row 1: column temperature has 'hot'"),
        (lambda: model.predict(data.head(0)), "the DataFrame has no rows"),
        (lambda: model.predict("new.csv"), "the data are a str, a pandas DataFrame is expected"),  # type: ignore[arg-type]
        (lambda: model.predict(data[["pump", "time", "time"]]), "the DataFrame has the column time twice"),
        (lambda: turbofan.hazards(fleet_without("sensor_7")), "the DataFrame has no column sensor_7"),
        (lambda: turbofan.survival(fleet_without("unit")), "the DataFrame has no column unit"),
        (lambda: turbofan.predict(fleet[fleet["cycle"] != 4]), "goes from cycle 3 to cycle 5, with a gap"),
        (lambda: turbofan.predict(fleet.assign(sensor_2="x")), "row 1, column sensor_2: 'x' is not a finite number"),
        (lambda: ddrsa.load("nowhere"), "nowhere does not exist"),
    ]
    for reading, message in in_the_data:
        with pytest.raises(DataError, match=re.escape(message)):
            reading()
    in_the_options: list[tuple[Callable[[], object], str]] = [
        (lambda: turbofan.predict(fleet, rows="first"), "rows=first: allowed is last, all"),
        (lambda: turbofan.predict(fleet, level=1), "level=1: allowed is above 0"),
        (lambda: turbofan.decide(fleet, threshold=3), "threshold=3: policy=oti has no threshold"),
        (lambda: ddrsa.load(trained_run.path, device="tpu"), "device=tpu: allowed is"),
    ]
    for reading, message in in_the_options:
        with pytest.raises(ConfigError, match=re.escape(message)):
            reading()


def test_azure_data_are_several_files(trained_run: TrainingDirectory) -> None:
    run = ddrsa.load(trained_run.path).run
    model = ddrsa.Forecaster(replace(run, config=replace(run.config, dataset=AzureOptions())))
    with pytest.raises(ConfigError, match="a DataFrame cannot hold azure_pm"):
        model.predict(pd.DataFrame({"unit": [1]}))


def generators() -> list[Any]:
    """The states of Python's, numpy's and torch's random generators."""
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return [random.getstate(), numpy_state["state"]["key"].tolist(), torch.get_rng_state().tolist()]


def test_training_twice_in_a_session_that_uses_hydra_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.yaml").write_text("a: 1\n")
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "/run/kernel.json"])
    package, train = logging.getLogger("ddrsa"), ddrsa.train
    with initialize_config_dir(str(own), version_base="1.2"):
        hydra = GlobalHydra.instance().hydra
        torch.set_num_threads(1)
        before = generators()
        runs = [train([f"model={model}", *FLEET, "hydra.sweep.dir=sweep"]) for model in ("gru", "lstm")]
        assert generators() == before
        assert torch.get_num_threads() == 1
        assert GlobalHydra.instance().hydra is hydra
        assert compose("mine") == {"a": 1}
    assert (package.level, package.handlers) == (logging.NOTSET, [])
    for run, model in zip(runs, ("gru", "lstm"), strict=True):
        assert run.path.parent == tmp_path / "sweep" / "logs" / "simulated" / model
        assert run.metrics == TrainingDirectory(run.path).read_test_metrics()
        log = (run.path / "run.log").read_text()
        assert "epoch 2 of 2" in log
        assert f"{model}/" in log
        assert "evaluated in" in log
    assert "evaluated in" not in capsys.readouterr().out
    again = ddrsa.train(["model=gru", *FLEET, "hydra.sweep.dir=sweep"])
    assert again == runs[0]

    table = ddrsa.read_sweep("sweep")
    assert table["model"].tolist() == ["gru", "lstm"]
    assert table["rul_mae"].tolist() == [run.metrics["rul_mae"] for run in runs]
    assert table["batch_size"].tolist() == [256, 256]
    assert table["num_folds"].tolist() == [None, None]
    assert [Path(path).resolve() for path in table["directory"]] == [run.path for run in runs]
    assert ddrsa.load(table["directory"][1]).run.config.model.name == "lstm"
    with pytest.raises(ConfigError, match="there is no such directory"):
        ddrsa.read_sweep("nowhere")


def test_config_files_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "it's [my] conf" / "dataset").mkdir(parents=True)
    (tmp_path / "it's [my] conf" / "dataset" / "mine.yaml").write_text(
        "defaults: [simulated, _self_]\nnum_units: 9\nnoise: 0.5\n"
    )
    run = ddrsa.train(["dataset=mine", *SMALL], config_dir="it's [my] conf")
    assert run.metrics["num_units"] == 3
    assert run.load().run.config.dataset.reading_options()["noise"] == 0.5
    with pytest.raises(ConfigError, match="config_dir=nowhere: there is no such folder"):
        ddrsa.train(["dataset=mine"], config_dir="nowhere")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("model=gru", "a list such as ['model=gru'] is expected"),
        (["model=gru,lstm"], "model=gru,lstm: ddrsa.train does one run"),
        (["-m", "model=gru"], "-m: ddrsa.train takes overrides"),
        (["modle=gru"], "Did you mean 'model'?"),
        (["model=nope"], "Could not find 'model/nope'. Available: boosting, gru"),
        (["lookback=0"], "lookback=0: allowed is"),
        (["dry_run=true"], "dry_run=true: ddrsa.train does the run"),
        (["experiment=scripts"], "sweeps and scripts need the command line"),
        (["experiment=full_grid"], "this is a sweep over model"),
        (["only=seed"], "only=seed: it chooses among the runs of a sweep"),
    ],
)
def test_what_is_no_run_is_one_sentence_and_leaves_nothing(
    overrides: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        ddrsa.train(overrides)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def session(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A session of Python that reads its code from a pipe: like a notebook, it has no file of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", "import sys; exec(sys.stdin.read())"], input=code, cwd=folder, env=environment,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_the_example_of_the_docs_runs_as_it_stands(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    check = "assert '__file__' not in globals()\nassert model.decide(today, cost=40)['intervene'].tolist()[0]\n"
    done = session(f"{example}\n{check}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 1 of 8" in done.stdout
    assert "failure_probability" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["multirun", "pumps.csv"]


def test_the_package_is_light_until_it_is_used(tmp_path: Path) -> None:
    code = """
import sys, ddrsa
heavy = ["torch", "pandas", "numpy", "hydra", "scipy", "matplotlib"]
print([name for name in heavy if name in sys.modules], {"train", "load", "read_sweep"} <= set(dir(ddrsa)))
ddrsa.read_sweep
print("torch" in sys.modules)
ddrsa.nothing
"""
    done = session(code, tmp_path)
    assert done.stdout.splitlines() == ["[] True", "False"]
    assert "module 'ddrsa' has no attribute 'nothing'" in done.stderr


def test_pumps_with_dates_are_told_in_days_with_a_reason(pump_run: ddrsa.TrainedModel) -> None:
    data = pumps(["N9", "N10", "N2"], seed=1).drop(columns="failed")
    model = pump_run.load()
    table = model.predict(data, within=["1d", "3d"])
    assert set(table["time_unit"]) == {"days"}
    assert (table["failure_within_1d"] <= table["failure_within_3d"]).all()
    expected = (table["time"] + pd.to_timedelta(table["rul"], unit="D")).where(table["rul_median"].notna())
    assert (table["rul_date"].isna() == expected.isna()).all()
    assert ((table["rul_date"] - expected).dropna().abs() < pd.Timedelta(seconds=1)).all()
    hours = model.predict(data, time_unit="hours")
    pd.testing.assert_series_equal(hours["rul"] / 24, table["rul"])
    # As a cost of useful life, a duration is as many steps of 6 hours.
    assert model.decision(cost="10d") == model.decision(cost=40)
    every = model.decide(data, policy="time_to_event_threshold", threshold="300d", within="3d")
    assert every["intervene"].all()
    for name, reason in zip(every.index.get_level_values("unit"), every["reason"], strict=True):
        assert re.fullmatch(
            rf"stop {name} (now|within .*): .* % to fail within 3 days; the expected time to the failure, .*, is at or "
            r"below 300 days since \w{3} 2025-.*", reason
        )  # fmt: skip
    never = model.decide(data, policy="failure_probability", threshold=1.0, window="1d")
    assert never["reason"].str.fullmatch(r"N\d+ runs on: .*; .* % to fail within 1 day is below .*").all()
    assert never["act_within"].isna().all()


def test_since_is_the_first_of_the_rows_that_call_for_the_intervention(pump_run: ddrsa.TrainedModel) -> None:
    data = pumps(["N9"], seed=1).drop(columns="failed")
    model = pump_run.load()
    rul = model.predict(data, rows="all")["rul"].to_numpy() * 4
    # A threshold between the largest of the last rows and what came before.
    last = len(rul) - 1 - next(n for n in range(1, len(rul)) if rul[-n - 1] > rul[-n:].max())
    threshold = (rul[last] + rul[last + 1 :].max()) / 2
    reason = model.decide(data, policy="time_to_event_threshold", threshold=threshold)["reason"].iloc[0]
    time = model.predict(data, rows="all")["time"].iloc[last + 1]
    if last + 1 < len(rul) - 1:
        assert reason.endswith(f"since {time:%a %Y-%m-%d %H:%M}")
    else:
        assert "since" not in reason

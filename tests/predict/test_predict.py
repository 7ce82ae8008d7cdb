"""python -m ddrsa.predict on a small run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from ddrsa.data import load, options
from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.load import Source
from ddrsa.data.scaling import Scaler
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError
from ddrsa.predict.__main__ import main
from ddrsa.predict.options import parse_arguments
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.trained import load_trained

HORIZON = 24


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "predict_cache"))


def predicted(run: TrainingDirectory, tmp_path: Path, *arguments: str) -> pd.DataFrame:
    output = tmp_path / "out.csv"
    assert main([f"checkpoint={run.path}", f"output={output}", *arguments]) == 0
    return pd.read_csv(output)


def played(table: pd.DataFrame) -> tuple[float, float | None]:
    """Miss rate and mean time to event, by the decisions in the table."""
    table = table[table["time_to_event"].notna()]
    in_time = table[table["intervene"] & (table["time_to_event"] >= 1)]
    first = in_time.groupby("unit")["time_to_event"].max()
    missed = table["unit"].nunique() - len(first)
    return missed / table["unit"].nunique(), float(first.mean()) if len(first) else None


def test_test_units_give_the_numbers_of_the_run(trained_run: TrainingDirectory, tmp_path: Path) -> None:
    metrics = trained_run.read_test_metrics()
    assert metrics is not None
    table = predicted(trained_run, tmp_path, "part=test", "rows=all")
    assert len(table) == metrics["num_windows"]
    inside = table[table["time_to_event"] < HORIZON]
    assert len(inside) == metrics["num_event_windows"]
    error = inside["rul"] - inside["time_to_event"]
    assert error.abs().mean() == pytest.approx(metrics["rul_mae"], rel=1e-6)
    assert np.sqrt((error**2).mean()) == pytest.approx(metrics["rul_rmse"], rel=1e-6)
    # The window of each hazard: h[0] is the failure at this very row.
    hazards = table.filter(like="hazard_").to_numpy()
    assert hazards.shape[1] == HORIZON
    survival = np.cumprod(1 - hazards, axis=1)
    np.testing.assert_allclose(survival.sum(axis=1), table["rul"], rtol=1e-4)
    np.testing.assert_allclose(1 - survival[:, -1], table["failure_probability"], atol=1e-5)
    median = np.where((survival <= 0.5).any(axis=1), (survival > 0.5).sum(axis=1), np.nan)
    assert (np.nan_to_num(median, nan=-1) == table["rul_median"].fillna(-1)).mean() > 0.99  # ties by rounding


@pytest.mark.parametrize("policy", ["oti", "time_to_event_threshold", "failure_probability"])
@pytest.mark.parametrize("miss_rate", ["5%", "10%"])
def test_decisions_are_those_of_the_tuned_policy(
    trained_run: TrainingDirectory, tmp_path: Path, policy: str, miss_rate: str
) -> None:
    metrics = trained_run.read_test_metrics()
    assert metrics is not None
    for part, point in (
        ("test", metrics["policies"][policy]["tuned"][miss_rate]),
        ("validation", metrics["validation"]["policies"][policy]["tuned"][miss_rate]),
    ):
        arguments = [f"part={part}", "rows=all", f"policy={policy}", f"miss_rate={miss_rate}"]
        table = predicted(trained_run, tmp_path, *arguments)
        assert list(played(table)) == pytest.approx([point["miss_rate"], point["mean_time_to_event"]])


@pytest.mark.parametrize(("cost", "position"), [(8, 0), (64, 3)])
def test_decisions_at_a_given_cost(trained_run: TrainingDirectory, tmp_path: Path, cost: int, position: int) -> None:
    metrics = trained_run.read_test_metrics()
    assert metrics is not None
    outcome = metrics["oti"][position]
    table = predicted(trained_run, tmp_path, "part=test", "rows=all", f"cost={cost}")
    assert list(played(table)) == pytest.approx([outcome["miss_rate"], outcome["mean_time_to_event"]])


def test_last_row_of_every_unit_is_the_default(
    trained_run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = predicted(trained_run, tmp_path, "before=0")
    assert "of 16 units (oti, cost" in capsys.readouterr().out
    every = predicted(trained_run, tmp_path, "rows=all")
    assert list(last["unit"]) == list(range(1, 17))
    expected = every.groupby("unit", as_index=False).last()
    own = ["time_to_event", "act_within", "reason", "drivers"]
    pd.testing.assert_frame_equal(last.drop(columns=own), expected.drop(columns="time_to_event"), rtol=1e-5)
    assert list(last["cycle"]) == list(every.groupby("unit").size())


def test_units_that_are_alive_have_no_time_to_event(trained_run: TrainingDirectory, tmp_path: Path) -> None:
    table = predicted(trained_run, tmp_path, "alive=true")
    assert "time_to_event" not in table
    known = predicted(trained_run, tmp_path, "before=0")
    assert known["time_to_event"].notna().sum() == 13
    pd.testing.assert_frame_equal(table, known[table.columns])


def test_csv_gzip_and_parquet_hold_the_same(trained_run: TrainingDirectory, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    expected = predicted(trained_run, tmp_path, "part=test")
    for name in ("out.csv.gz", "out.parquet"):
        assert main([f"checkpoint={trained_run.path}", "part=test", f"output={tmp_path / name}"]) == 0
        read = pd.read_parquet if name.endswith("parquet") else pd.read_csv
        pd.testing.assert_frame_equal(read(tmp_path / name), expected, check_dtype=False)


def test_without_pyarrow_parquet_says_what_to_install(
    trained_run: TrainingDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    output = tmp_path / "out.parquet"
    assert main([f"checkpoint={trained_run.path}", f"output={output}"]) == 2
    assert "pyarrow" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_printed_table_by_the_command_line(trained_run: TrainingDirectory, tmp_path: Path) -> None:
    environment = {**os.environ, "DDRSA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "ddrsa.predict", f"checkpoint={trained_run.checkpoint_best}", "part=test"],
        env=environment, capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    header, *rows = done.stdout.splitlines()
    assert header.split()[:3] == ["unit", "cycle", "rul"]
    assert "hazard" not in header
    assert rows[5] == "times are in cycles"
    assert rows[6].startswith("5 of 5 units are more likely to outlive the 24 cycles that the model looks ahead")
    assert rows[7].startswith("intervene now: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset=turbofan"], "dataset=turbofan: the model of .* was trained on simulated"),
        (["dataset=none"], "was trained on simulated"),
        (["dataset.num_units=2"], "dataset.num_units=2: allowed is"),
        (["dataset.speed=2"], "dataset.speed is no key of the data set simulated"),
        (["batch_size=2"], "batch_size is no key of ddrsa.predict"),
        (["part=some"], "part=some: allowed is all, training"),
        (["part=official"], "simulated has no official test set"),
        (["rows=first"], "rows=first: allowed is last, all"),
        (["policy=never"], "policy=never: allowed is oti"),
        (["cost=high"], "cost=high: allowed is a finite number of steps above 0"),
        (["cost=-4"], "cost=-4: allowed is a finite number of steps above 0"),
        (["cost=0"], "cost=0: allowed is"),
        (["cost=nan"], "cost=nan: allowed is"),
        (["cost=.nan"], "cost=nan: allowed is"),
        (["cost=.inf"], "cost=inf: allowed is"),
        (
            ["policy=time_to_event_threshold", "threshold=-1"],
            "threshold=-1: allowed is a finite number of steps above 0",
        ),
        (["policy=time_to_event_threshold", "threshold=.nan"], "threshold=nan: allowed is"),
        (["policy=failure_probability", "threshold=20", "window=4"], r"a probability, above 0 .* \(20 % is 0.2\)"),
        (["policy=failure_probability", "threshold=.nan", "window=4"], "threshold=nan: allowed is a probability"),
        (["level=.nan"], "level=nan: allowed is above 0"),
        (["cost=5", "policy=time_to_event_threshold"], "cost=5: policy=time_to_event_threshold has no cost"),
        (["threshold=5"], "threshold=5: policy=oti has no threshold"),
        (["policy=failure_probability", "threshold=0.5"], "window is missing: allowed is a time up to 24 cycles"),
        (["policy=failure_probability", "threshold=0.5", "window=25"], "window=25: allowed is a time up to 24 cycles"),
        (["window=5"], "window=5: it belongs to policy=failure_probability"),
        (["level=1"], "level=1.0: allowed is above 0"),
        (["miss_rate=7%"], "miss_rate=7%: allowed is 5%, 10%"),
        (["output=out.xls"], "output=out.xls: allowed is a file that ends in .csv"),
        (["output=/proc/none/out.csv"], "output=/proc/none/out.csv cannot be written"),
        (["plots=out", "rows=all"], "plots=out: it belongs to rows=last"),
        (["explain=some"], "explain=some: allowed is due, all, none"),
        (["dataset=table", "dataset.path=new.csv", "part=test"], "part=test is a part of the run's own data, and"),
        (["within=25"], "within=25: the model looks 24 cycles ahead"),
        (["within=0.5"], "within=0.5: that is less than a cycle"),
        (["within=7d"], "within=7d: allowed is a number of cycles above 0"),
        (["within=[5,-1]"], "within=-1: allowed is a number of cycles above 0"),
        (["time_unit=days"], "time_unit=days: the data of the run have no dates"),
        (["time_unit=weeks"], "time_unit=weeks: allowed is days, hours"),
        (["before=-1"], "before=-1: allowed is a number of cycles above 0"),
        (["before=3", "rows=all"], "before=3: it belongs to rows=last"),
        (["everything"], "argument 'everything': KEY=VALUE is expected"),
    ],
)
def test_wrong_argument_is_one_line(
    trained_run: TrainingDirectory, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"checkpoint={trained_run.path}", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert re.search(message, printed.err), printed.err


def test_checkpoint_alone_needs_a_cost(
    trained_run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(trained_run.checkpoint_best, tmp_path / "model.pt")
    assert main([f"checkpoint={tmp_path / 'model.pt'}"]) == 2
    assert "test_metrics.json does not exist: give cost=" in capsys.readouterr().err
    assert main([f"checkpoint={tmp_path / 'model.pt'}", "cost=30"]) == 0


def test_values_are_read_as_in_a_config_and_paths_as_they_are() -> None:
    own = ["checkpoint=runs/seed=1/[a]", "rows=all", "cost=20", "alive=true", "data_dir=12"]
    keys = ["dataset=table", "dataset.path=*.csv", "dataset.feature_columns=[a, b]", "dataset.step=null"]
    options, dataset = parse_arguments([*own, *keys])
    assert (options.checkpoint, options.data_dir, options.cost, options.alive) == ("runs/seed=1/[a]", "12", 20, True)
    assert dataset == {"name": "table", "path": "*.csv", "feature_columns": ["a", "b"], "step": None}


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self.marker)!r}, 'w')",))


def test_no_code_of_the_file_is_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"schema_version": 1, "config": Payload(tmp_path / "executed")}, tmp_path / "checkpoint_best.pt")
    assert main([f"checkpoint={tmp_path}", "cost=3"]) == 2
    assert "is damaged, or holds more than tensors and plain values" in capsys.readouterr().err
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 7}, "has schema_version 7"),
        ({"scaler": None}, "is not the checkpoint of a run"),
        ({"model": {}}, "is not the checkpoint of a run"),
        ({"config": {}}, "has a config that this version cannot read"),
        ({"feature_names": ["a"]}, "contradicts itself"),
    ],
)
def test_other_checkpoint(trained_run: TrainingDirectory, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = torch.load(trained_run.checkpoint_best, weights_only=True)
    content.pop("checksum")  # of another content, which is another fault
    torch.save({**content, **change}, tmp_path / "changed.pt")
    with pytest.raises(DataError, match=message):
        load_trained(tmp_path / "changed.pt")
    with pytest.raises(DataError, match="nowhere does not exist"):
        load_trained(tmp_path / "nowhere")


def test_part_of_another_split_or_without_test_units(
    trained_run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [predicted(trained_run, tmp_path, f"part={part}")["unit"] for part in ("training", "validation", "test")]
    assert sorted(pd.concat(parts)) == list(range(1, 17))
    assert main([f"checkpoint={trained_run.path}", "part=test", "dataset.test_fraction=0"]) == 2
    assert "part=test: simulated has no official test set here" in capsys.readouterr().err


def test_features_by_name_whatever_their_order(trained_run: TrainingDirectory) -> None:
    run = load_trained(trained_run.path)
    fleet = simulate_fleet(options.SimulatedOptions(num_units=3)).sequences()
    expected = run.scaled(fleet).features
    order = np.random.default_rng(0).permutation(len(fleet.feature_names))
    more: NDArray[np.float64] = np.column_stack([fleet.features[:, order], np.zeros(fleet.num_rows)])
    shuffled = fleet.with_features(more, [*(fleet.feature_names[i] for i in order), "unknown"])
    np.testing.assert_array_equal(run.scaled(shuffled).features, expected)
    with pytest.raises(DataError, match="the data have no feature sensor_21, which the model"):
        run.scaled(fleet.with_features(fleet.features[:, :-1], fleet.feature_names[:-1]))


def test_category_that_new_units_do_not_have(trained_run: TrainingDirectory) -> None:
    run = load_trained(trained_run.path)
    names = ("age", "model=a", "model=b")
    scaler = Scaler("minmax", names, np.arange(3), np.empty((0, 3)), np.zeros((1, 3)), np.ones((1, 3)))
    run = replace(run, scaler=scaler)
    tau = np.array([1.0, 0.0], np.float32)
    units = Sequences(np.full((2, 2), 1, np.float32), np.ones(2, np.int64), tau, np.ones(2, bool), ("age", "model=b"))
    np.testing.assert_array_equal(run.scaled(units).features, [[1, 0, 1]] * 2)
    with pytest.raises(DataError, match="no feature model=a, model=b"):
        run.scaled(units.with_features(units.features[:, :1], ("age",)))


@dataclass(kw_only=True)
class OwnOptions(options.DatasetOptions):
    name: str = "table"
    path: str = ""


def test_units_of_the_users_own_file(
    trained_run: TrainingDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any source that reads sequences will do; units that are alive stand there as censored ones."""
    fleet = simulate_fleet(options.SimulatedOptions(num_units=5, simulation_seed=8)).sequences()
    alive = Sequences(
        fleet.features, fleet.unit, fleet.time_to_event, np.zeros(fleet.num_rows, bool), fleet.feature_names
    )
    monkeypatch.setitem(options.DATASET_OPTIONS, "table", OwnOptions)
    monkeypatch.setitem(load.SOURCES, "table", lambda *_: Source([], lambda: {"run_to_failure": alive}))
    table = predicted(trained_run, tmp_path, "dataset=table", "dataset.path=mine.csv", "cost=20")
    assert "time_to_event" not in table
    same = predicted(trained_run, tmp_path, "dataset.num_units=5", "dataset.simulation_seed=8",
                     "dataset.censored_fraction=0", "cost=20", "before=0")  # fmt: skip
    pd.testing.assert_frame_equal(table, same[table.columns])


def test_other_options_of_the_same_data_set_are_pointed_out(
    trained_run: TrainingDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"checkpoint={trained_run.path}", "dataset.num_units=4"]) == 0
    assert "warning: the model was trained with dataset.num_units=16, these data have 4" in capsys.readouterr().err

"""Runs on C-MAPSS files: several subsets together, and the presets of the official protocol."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import ddrsa
from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.cmapss.text_format import write_table
from ddrsa.data.options import SimulatedOptions
from ddrsa.errors import ConfigError
from ddrsa.predict.options import PredictOptions
from ddrsa.predict.units import read_units
from ddrsa.trained import load_trained

TINY = ["model=kaplan_meier", "num_epochs=1", "lookback=4", "horizon=40", "device=cpu"]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FD001 and FD003 with 12 engines each, and 4 official test engines that stop before their failure."""
    folder = tmp_path / "data" / "turbofan"
    folder.mkdir(parents=True)
    for seed, subset in ((0, "FD001"), (1, "FD003")):
        table = simulate_fleet(SimulatedOptions(num_units=16, simulation_seed=seed)).table
        write_table(folder / f"train_{subset}.txt", table[table["unit"] <= 12])
        test = table[table["unit"] > 12]
        test = test.assign(unit=test["unit"] - 12, rul=test.groupby("unit")["cycle"].transform("max") - test["cycle"])
        test = test[test["rul"] >= 10 * test["unit"]]
        write_table(folder / f"test_{subset}.txt", test)
        rul = test.groupby("unit")["rul"].min()
        (folder / f"RUL_{subset}.txt").write_text("".join(f"{value}\n" for value in rul))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDRSA_DATA_DIR", str(folder.parent))
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setenv("DDRSA_CPUS", "1")
    return folder.parent


def test_every_metric_stands_by_subset_too(data_dir: Path) -> None:
    run = ddrsa.train([*TINY, "dataset=turbofan", "dataset.subset=[FD001,FD003]", "dataset.test_fraction=0.4"])
    metrics = run.metrics
    assert list(metrics["by_subset"]) == ["FD001", "FD003"]
    parts = metrics["by_subset"].values()
    of_the_run = {"by_unit", "by_subset", "validation", "comparison", "time_step", "measure", "data_content"}
    of_the_run |= {"run_id", "schema_version", "checksum", "training_time_seconds", "epochs_run", "best_epoch"}
    for part in parts:
        assert metrics.keys() - part.keys() <= of_the_run | {"best_validation_loss", "n_parameters"}
        assert part["confidence_intervals"].keys() == metrics["confidence_intervals"].keys()
        assert part["official_rmse"] > 0
    windows = np.array([part["num_windows"] for part in parts])
    assert windows.sum() == metrics["num_windows"]
    assert metrics["nll"] == pytest.approx((windows * [part["nll"] for part in parts]).sum() / windows.sum())
    squares = [part["official_rmse"] ** 2 for part in parts]
    assert metrics["official_rmse"] ** 2 == pytest.approx(np.mean(squares))
    assert metrics["official_score"] == pytest.approx(sum(part["official_score"] for part in parts))
    assert list(metrics["validation"]["by_subset"]) == ["FD001", "FD003"]

    # Any of them is forecast for, without a word that these were other data; the units keep their names.
    trained = load_trained(run.path, data_dir=str(data_dir), cache_dir=str(data_dir / "cache"))
    options = PredictOptions(
        checkpoint=str(run.path), part="test", data_dir=str(data_dir), cache_dir=str(data_dir / "cache")
    )
    both, one = (read_units(trained, given, options) for given in ({}, {"subset": "FD003"}))
    of_third = [title for title in both.unit_titles if title.startswith("FD003/")]
    assert of_third == [f"FD003/{title}" for title in one.unit_titles]


def test_a_part_that_the_run_has_not_split_is_refused(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ddrsa.train([*TINY, "dataset=turbofan", "dataset.subset=[FD001,FD003]", "dataset.evaluate_on=FD003"])
    assert "by_subset" not in run.metrics
    trained = load_trained(run.path, data_dir=str(data_dir), cache_dir=str(data_dir / "cache"))

    def units(part: str, **given: str) -> int:
        options = PredictOptions(
            checkpoint=str(run.path), part=part, data_dir=str(data_dir), cache_dir=str(data_dir / "cache")
        )
        return read_units(trained, given, options).num_units

    with pytest.raises(ConfigError, match=r"all units of FD001 have trained the model.*allowed are part=all"):
        units("test", subset="FD001")
    assert units("all", subset="FD001") == 12
    assert units("official", subset="FD001") == 4
    assert units("test") == run.metrics["num_units"]
    assert capsys.readouterr().err == ""


def test_the_preset_of_fd003_is_the_official_protocol(data_dir: Path) -> None:
    """With FD001's files under FD003's name it gives what the preset of FD001, whose values it has, gives."""
    elsewhere = data_dir.parent / "other" / "turbofan"
    elsewhere.mkdir(parents=True)
    for kind in ("train", "test", "RUL"):
        shutil.copy(data_dir / "turbofan" / f"{kind}_FD001.txt", elsewhere / f"{kind}_FD003.txt")
    small = ["num_epochs=1", "lookback=8", "model.channels=4", "device=cpu"]
    first = ddrsa.train(["experiment=fd001_official", *small]).metrics
    third = ddrsa.train(["experiment=fd003_official", *small, f"data_dir='{elsewhere.parent}'"]).metrics
    for name in ("official_rmse", "official_score", "nll", "num_units"):
        assert third[name] == first[name]
    assert third["num_units"] == 4

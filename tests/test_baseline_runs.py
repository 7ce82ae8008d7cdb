"""The baselines as runs like any other: trained, done again, predicted from and drawn."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import ddrsa
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.visualize import visualize_run

TINY = ["dataset.num_units=16", "lookback=8", "horizon=24", "num_epochs=3", "device=cpu"]


@pytest.mark.parametrize("name", ["kaplan_meier", "boosting"])
def test_a_baseline_is_a_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setenv("DDRSA_CPUS", "1")
    overrides = [*TINY, f"model={name}", f"hydra.sweep.dir='{tmp_path / 'sweep'}'"]
    run = ddrsa.train(overrides)
    directory = TrainingDirectory(run.path)
    assert f"{name} has no use for batch_size" in directory.log.read_text()
    assert len(pd.read_csv(directory.training_log)) == run.metrics["epochs_run"] == 3
    assert run.metrics["n_parameters"] > 0
    before = directory.test_metrics.stat().st_mtime_ns
    assert ddrsa.train(overrides).metrics["nll"] == run.metrics["nll"]
    assert directory.test_metrics.stat().st_mtime_ns == before

    # From the checkpoint alone, and older than the lookback: the age counts.
    units = fleet_table()
    predicted = run.load().predict(units, rows="all")
    assert predicted["rul"].between(0, 24).all()
    assert predicted["rul"].iloc[-1] < predicted["rul"].iloc[0]
    written = visualize_run(directory, data_dir="data", cache_dir=str(tmp_path / "cache"))
    assert {path.stem for path in written} >= {"training_curves", "policy_along_life", "reliability"}


def fleet_table() -> pd.DataFrame:
    from ddrsa.data.cmapss.simulated import simulate_fleet
    from ddrsa.data.options import SimulatedOptions

    table = simulate_fleet(SimulatedOptions(num_units=3)).table
    return table[table["unit"] == 1]

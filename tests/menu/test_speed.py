"""Estimates from run directories with known times."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ddrsa.menu.presets import Plan, plan_of
from ddrsa.menu.speed import Speed
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json

MANIFEST = "experiment_manifest.json"


def add_sweep(sweep_dir: Path, *runs: dict[str, Any]) -> None:
    """Each run: the number of its plan's run, training (s), epochs, and changes of its status."""
    entries = []
    for number, run in enumerate(runs):
        directory = RunDirectory(sweep_dir / str(number))
        directory.path.mkdir(parents=True)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        ended = start + timedelta(seconds=run["training"] + 3)
        status = {"hostname": socket.gethostname(), "attempt": 1, "state": "completed"}
        times = {"started_at": start.isoformat(), "ended_at": ended.isoformat()}
        write_json(directory.status, {**status, **times, **run.get("status", {})})
        write_json(directory.test_metrics, {"training_time_seconds": run["training"], "epochs_run": run["epochs"]})
        entries.append({"directory": str(number), "config": run["work"], "overrides": []})
    write_json(sweep_dir / MANIFEST, {"runs": entries[:1], "earlier_runs": entries[1:]})


def with_batch_size(plan: Plan, batch_size: int) -> dict[str, Any]:
    return {**plan.runs[0], "batch_size": batch_size}


def test_an_epoch_takes_a_time_for_all_windows_and_one_for_each_batch(tmp_path: Path) -> None:
    plan = plan_of(["batch_size=32,64,128", "num_epochs=10", "hydra.launcher.n_jobs=1"])
    assert Speed().read(tmp_path).seconds(plan) is None
    # 1 s + 64 / batch_size s an epoch, 3 s besides.
    add_sweep(
        tmp_path / "day" / "time",
        {"work": with_batch_size(plan, 32), "training": 15.0, "epochs": 5},
        {"work": with_batch_size(plan, 128), "training": 3.0, "epochs": 2},
    )
    speed = Speed().read(tmp_path)
    assert speed.count == 2
    assert speed.seconds(plan) == pytest.approx((30 + 3) + (20 + 3) + (15 + 3))
    assert speed.read(tmp_path).count == 2
    # Twice the rows and steps; and no shorter than the longest run, however many go at once.
    longer = plan_of(["batch_size=32", "num_epochs=10", "lookback=128", "horizon=256", "hydra.launcher.n_jobs=8"])
    assert speed.seconds(longer) == pytest.approx(2 * 30 + 3)


def test_runs_at_once_share_the_time(tmp_path: Path) -> None:
    plan = plan_of(["seed=0,1,2,3", "num_epochs=10", "hydra.launcher.n_jobs=2"])
    add_sweep(tmp_path / "sweep", {"work": plan.runs[0], "training": 10.0, "epochs": 10})
    assert Speed().read(tmp_path).seconds(plan) == pytest.approx(4 * 13 / 2)


def test_what_tells_nothing_about_these_runs(tmp_path: Path) -> None:
    plan = plan_of(["num_epochs=10"])
    others = plan_of(["model=gru", "num_epochs=10"]), plan_of(["dataset.num_units=9", "num_epochs=10"])
    known = {"training": 10.0, "epochs": 10}
    add_sweep(
        tmp_path / "sweep",
        *({"work": other.runs[0], **known} for other in others),
        {"work": plan.runs[0], **known, "status": {"hostname": "elsewhere"}},
        {"work": plan.runs[0], **known, "status": {"attempt": 2}},
        {"work": {"a": 1}, **known},
    )
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / MANIFEST).write_text("{")
    speed = Speed().read(tmp_path)
    assert (speed.count, speed.seconds(plan)) == (2, None)
    assert speed.seconds(others[0]) is not None

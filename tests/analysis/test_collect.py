"""Collecting runs: every state, damaged files, configs with interpolations."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from analysis_runs import MakeRun, metrics

from ddrsa.analysis.collect import collect
from ddrsa.errors import ConfigError
from ddrsa.rundir.states import shown_state


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_row_per_run(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=metrics(10, 12, 0.8, nll=1.5, note="text is no metric"), learning_rate=0.001)
    make_run("gru", result=metrics(9, 11, 0.7, official_rmse=None), dataset={"name": "cmapss", "subset": "FD001"})
    make_run("gru", state="pending")
    make_run("gru", state="failed", error="Traceback\n  a line\nRuntimeError: out of memory")

    sweep = collect(sweep_dir)
    runs = {row["directory"].rpartition("/")[2]: row for row in sweep.runs.to_dict("records")}

    assert [runs[f"run{i:03}"]["state"] for i in range(4)] == ["completed", "completed", "pending", "failed"]
    assert runs["run000"]["directory"] == "logs/simulated/lstm/run000"
    assert (runs["run000"]["dataset"], runs["run001"]["dataset"]) == ("simulated", "cmapss/FD001")
    assert runs["run003"]["reason"] == "RuntimeError: out of memory"
    assert (runs["run000"]["learning_rate"], runs["run000"]["batch_size"]) == (0.001, 64)
    assert math.isnan(runs["run001"]["learning_rate"])
    assert (runs["run000"]["rul_mae"], runs["run000"]["nll"], runs["run000"]["epoch"]) == (10, 1.5, 3)
    assert math.isnan(runs["run001"]["official_rmse"])
    assert runs["run000"]["best_validation_loss"] == 0.5
    quality = {"rul_mae", "rul_rmse", "concordance_index", "oti_at_5_percent", "oti_at_10_percent"}
    validation = {f"validation_{name}" for name in quality}
    assert set(sweep.metrics) == {*quality, *validation, "n_parameters", "nll", "official_rmse"}
    assert set(sweep.quality_metrics) == {*quality, "nll", "official_rmse"}
    assert len(sweep.completed) == 2


def test_numbers_that_are_not_finite_are_nan(sweep_dir: Path, make_run: MakeRun) -> None:
    text = '{"schema_version": 1, "rul_mae": Infinity, "rul_rmse": NaN, "nll": null, "nasa_score": 2, "flag": true}'
    make_run().test_metrics.write_text(text)
    sweep = collect(sweep_dir)
    assert sweep.metrics == ["rul_mae", "rul_rmse", "nll", "nasa_score"]
    assert sweep.runs[sweep.metrics].iloc[0].tolist() == pytest.approx([math.nan] * 3 + [2.0], nan_ok=True)


def test_swept(sweep_dir: Path, make_run: MakeRun) -> None:
    # hidden_size follows from the model; num_layers and grad_clip (null is a value) were tried themselves.
    make_run("lstm", model_options={"hidden_size": 8}, batch_size=32, grad_clip=None, device="cpu")
    for num_layers in (1, 2):
        options = {"hidden_size": 16, "num_layers": num_layers}
        make_run("gru", model_options=options, batch_size=64, grad_clip=1.0, device="cuda")
    sweep = collect(sweep_dir)
    assert set(sweep.swept) == {"batch_size", "grad_clip", "model.name", "model.num_layers"}
    assert set(sweep.hyperparameters) == {"batch_size", "grad_clip", "model.num_layers"}
    assert not {"gpus", "hydra"} & set(sweep.runs.columns)


def test_seed_and_fold_repeat_a_configuration(sweep_dir: Path, make_run: MakeRun) -> None:
    for seed, fold in ((0, 0), (1, 0), (0, 1)):
        make_run(seed=seed, fold=fold, batch_size=32)
    make_run(seed=0, fold=0, batch_size=64)
    sweep = collect(sweep_dir)
    assert (sweep.hyperparameters, sweep.repeats) == (["batch_size"], ["seed", "fold"])


def test_a_hyperparameter_does_not_hide_a_column(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(epoch=77, rul_mae=5, num_epochs=100)
    run = collect(sweep_dir).runs.iloc[0]
    assert (run["epoch"], run["config.epoch"], run["rul_mae"], run["config.rul_mae"]) == (3, 77, 10, 5)
    # The number of epochs that was asked for is a hyperparameter, so its name stays.
    assert run["num_epochs"] == 100


def test_damage_spoils_one_row_only(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run().status.write_text('{"state": "compl')
    make_run().test_metrics.write_text("[1]")
    make_run().test_metrics.unlink()
    make_run().config.write_text("a: [")
    make_run(result=metrics(1, 2, 0.5, oti={"cost": 1}))
    make_run().status.write_text('{"schema_version": 1, "state": "happy"}')
    make_run().status.write_bytes(b"\xff\xfe")
    make_run()
    runs = collect(sweep_dir).runs
    assert list(runs["state"]) == ["unreadable"] * 7 + ["completed"]
    reasons = ["not valid JSON", "holds list", "is missing", "cannot be read as a config", "`oti`", "'happy'", "utf-8"]
    for reason, expected in zip(runs["reason"], reasons, strict=False):
        assert expected in reason
        assert "\n" not in reason


def test_a_running_run_without_its_process_is_killed(sweep_dir: Path, make_run: MakeRun) -> None:
    gone, elsewhere = dead_pid(), dead_pid()
    make_run(state="running")
    make_run(state="running").update(pid=gone)
    make_run(state="running").update(pid=elsewhere, hostname="another-host")
    # The number of a process that died long ago, given to a new one: this very process.
    make_run(state="running").update(process_start=1)
    make_run(state="running").update(boot_id=None, started_at="2001-01-01T00:00:00+00:00")  # as earlier versions had it
    runs = collect(sweep_dir).runs
    assert list(runs["state"]) == ["running", "killed", "running", "killed", "killed"]
    assert str(gone) in runs["reason"][1]


def test_a_zombie_is_no_running_run(sweep_dir: Path, make_run: MakeRun) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    make_run(state="running").update(pid=process.pid)
    try:
        assert list(collect(sweep_dir).runs["state"]) == ["killed"]
    finally:
        process.wait()


def test_unknown_pid_is_not_called_dead() -> None:
    assert shown_state({"state": "running", "hostname": socket.gethostname(), "pid": None}) == ("running", None)


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing: there is no such directory"):
        collect(tmp_path / "missing")
    with pytest.raises(ConfigError, match="it holds no run"):
        collect(tmp_path)

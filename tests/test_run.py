"""Real runs by the command line, on a tiny fleet."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import pytest
import torch
from programs import TRAINING, start_program
from trainings import TINY, metrics_of, only_run, train

from ddrsa.rundir.claims import Claim
from ddrsa.rundir.training import find_trainings

ROOT = Path(__file__).parent.parent


def test_one_run(tmp_path: Path, environment: dict[str, str]) -> None:
    done = train(tmp_path, environment)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path / "sweep")
    assert run.path.parent == tmp_path / "sweep" / "logs" / "simulated" / "lstm"
    assert run.path.name.startswith("bs256_lr0.003_lam0.75_nasa0.0_drop0.1_s0_")

    status = run.status_or_empty()
    assert status is not None
    assert (status["state"], status["epoch"], status["num_epochs"], status["attempt"]) == ("completed", 3, 3, 1)
    assert status["device"] == "cpu"
    assert status["gpu_index"] is None
    assert len(status["run_id"]) == 64
    assert run.path.name.endswith(f"_{status['run_id'][:16]}")

    metrics = metrics_of(run)
    assert metrics is not None
    for split in (metrics, metrics["validation"]):
        assert 0 < split["rul_mae"] <= split["rul_rmse"]
        assert 0 <= split["concordance_index"] <= 1
        assert [outcome["cost"] for outcome in split["oti"]] == [8, 16, 32, 64, 128, 256]
        assert list(split["oti_at_miss_rate"]) == ["5%", "10%"]
        for name, policy in split["policies"].items():
            thresholds = [point and point["threshold"] for point in policy["tuned"].values()]
            tuned = metrics["validation"]["policies"][name]["tuned"].values()
            assert thresholds == [point and point["threshold"] for point in tuned]
            assert all(0 <= point["miss_rate"] <= 1 for point in policy["curve"])
        assert sum(split["calibration"]["d_calibration"]["bins"]) == pytest.approx(1)
        assert 0 <= split["intervals"]["80%"]["open_share"] <= 1
    assert not (run.path / "plots").exists()
    assert metrics["epochs_run"] == 3
    with run.training_log.open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2", "3"]
    assert "epoch 3 of 3" in run.log.read_text()
    best = torch.load(run.checkpoint_best, weights_only=True)
    assert best["config"]["model"]["name"] == "lstm"
    assert len(best["feature_names"]) == metrics_features(best)

    # Done once is done: the same command again changes nothing.
    before = run.test_metrics.stat().st_mtime_ns, run.status.stat().st_mtime_ns
    again = train(tmp_path, environment)
    assert again.returncode == 0
    assert "complete already" in again.stdout
    assert (run.test_metrics.stat().st_mtime_ns, run.status.stat().st_mtime_ns) == before


def metrics_features(checkpoint: dict[str, Any]) -> int:
    """The features that the first layer reads: its width without the channel that marks padding."""
    return int(checkpoint["model"]["encoder.weight_ih_l0"].shape[1]) - 1


def test_killed_run_goes_on_to_the_same_result(tmp_path: Path, environment: dict[str, str]) -> None:
    overrides = ["num_epochs=20"]
    assert train(tmp_path, environment, *overrides, sweep="whole").returncode == 0

    given = (*TINY, *overrides, "hydra.sweep.dir=killed")
    process = start_program(
        ROOT / "train.py", *given, imports=TRAINING, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not any(run.checkpoint_last.exists() for run in find_trainings(tmp_path / "killed")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = only_run(tmp_path / "killed")
    assert killed.read_test_metrics() is None
    assert killed.status_or_empty()["state"] == "running"

    assert train(tmp_path, environment, *overrides, sweep="killed").returncode == 0
    assert "goes on after epoch" in killed.log.read_text()
    assert killed.status_or_empty()["attempt"] == 2
    whole = metrics_of(only_run(tmp_path / "whole"))
    resumed = metrics_of(killed)
    for metrics in (whole, resumed):
        metrics.pop("training_time_seconds")
    assert resumed == whole


def test_interrupt_is_recorded(tmp_path: Path, environment: dict[str, str]) -> None:
    process = start_program(
        *(ROOT / "train.py", *TINY, "num_epochs=10000", "patience=0", "hydra.sweep.dir=sweep"),
        imports=TRAINING,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not any(run.checkpoint_last.exists() for run in find_trainings(tmp_path / "sweep")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert only_run(tmp_path / "sweep").status_or_empty()["state"] == "interrupted"


@pytest.mark.parametrize("launcher", ["supervised", pytest.param("joblib", marks=pytest.mark.slow)])
def test_sweep_leases_each_run_another_gpu(tmp_path: Path, environment: dict[str, str], launcher: str) -> None:
    choice = [f"hydra/launcher={launcher}", "hydra.launcher.n_jobs=2"]
    done = train(tmp_path, environment, "-m", "model=lstm,gru", "seed=0,1", "gpus=[0,1]", *choice)
    assert done.returncode == 0, done.stderr
    statuses = [run.status_or_empty() for run in find_trainings(tmp_path / "sweep")]
    assert [status["state"] for status in statuses] == ["completed"] * 4
    assert {status["gpu_index"] for status in statuses} == {0, 1}
    # Two runs at once share the cores.
    assert {status["cpu_threads"] for status in statuses} == {max(1, joblib.cpu_count() // 2)}
    # Runs at the same time never share a GPU.
    for index in (0, 1):
        times = sorted(
            (status["started_at"], status["ended_at"]) for status in statuses if status["gpu_index"] == index
        )
        assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times))


def test_failed_run_does_not_stop_the_others(tmp_path: Path, environment: dict[str, str]) -> None:
    done = train(tmp_path, environment, "-m", "learning_rate=1e30,0.01", "grad_clip=0", "hydra.launcher.n_jobs=1")
    assert done.returncode == 1
    assert "1 of 2 runs failed" in done.stderr
    assert "loss is" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    completed, failed = (run.status_or_empty() for run in find_trainings(tmp_path / "sweep"))
    assert (failed["state"], completed["state"]) == ("failed", "completed")
    assert "TrainingDivergedError" in failed["error"]
    log = next(run.log for run in find_trainings(tmp_path / "sweep") if "lr1e+30" in run.path.name)
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["batch_size=0"], "batch_size=0: allowed is 1 or more"),
        (["-m", "batch_size=64,0"], "batch_size=0: allowed is 1 or more"),
        (["-m", "num_folds=5", "fold=range(8)"], "fold=5: allowed is 0 to 4"),
        (["batchsize=3"], "Did you mean 'batch_size'?"),
        (["model=lstn"], "lstn"),
        (["dataset=turbofans"], "turbofan"),
        (["batch_size=many"], "batch_size"),
        (["hydra.run.dir=here", "lambda_param=2"], "lambda_param=2.0"),
        (["hydra.sweep.dir="], "hydra.sweep.dir='': allowed is a directory"),
        (["hydra.run.dir="], "hydra.run.dir='': allowed is a directory"),
        (["-m", "seed=0,1", "hydra.sweep.dir="], "hydra.sweep.dir='': allowed is a directory"),
    ],
)
def test_wrong_config_is_one_line_and_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], overrides: list[str], message: str
) -> None:
    done = train(tmp_path, environment, *overrides)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_docs_show_what_a_dry_run_prints(tmp_path: Path, environment: dict[str, str]) -> None:
    page = (ROOT / "docs" / "sweeps.md").read_text()
    (command, *shown), *_ = (
        block.splitlines()
        for block in re.findall(r"^```\n\$ python train.py (.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    )
    done = train(tmp_path, environment, *shlex.split(command), tiny=[])
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert shown[0] == printed[0]
    runs = [line.split() for line in shown if "logs/" in line]
    assert len(runs) == 6
    without_states = [[word for word in run if word not in ("completed", "new")] for run in runs]
    assert without_states == [[word for word in line.split() if word != "new"] for line in printed[1:7]]


def test_missing_data_is_one_line_and_leaves_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    tiny = [override for override in TINY if not override.startswith("dataset.")]
    done = train(tmp_path, environment, "dataset=turbofan", "data_dir=nowhere", tiny=tiny)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "train_FD001.txt" in done.stderr
    assert "dataset=simulated" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "sweep").exists()


def test_folds_sweep_as_any_key_and_test_every_unit_once(tmp_path: Path, environment: dict[str, str]) -> None:
    overrides = ["num_folds=3", "fold=range(3)", "num_epochs=1", "hydra.launcher.n_jobs=2"]
    done = train(tmp_path, environment, "-m", *overrides)
    assert done.returncode == 0, done.stderr
    units = [metrics_of(run)["num_units"] for run in find_trainings(tmp_path / "sweep")]
    assert sorted(units) == [3, 3, 4]  # of ten


@pytest.mark.slow
def test_without_test_units_the_official_engines_are_tested(
    tmp_path: Path, environment: dict[str, str], nasa_dir: Path
) -> None:
    tiny = [override for override in TINY if not override.startswith("dataset.")]
    overrides = ["dataset=turbofan", "dataset.test_fraction=0", f"data_dir={nasa_dir.resolve()}", "num_epochs=1"]
    done = train(tmp_path, environment, *overrides, tiny=tiny)
    assert done.returncode == 0, done.stderr
    metrics = metrics_of(only_run(tmp_path / "sweep"))
    assert (metrics["num_units"], metrics["validation"]["num_units"]) == (100, 30)
    assert metrics["oti"] == []
    assert metrics["official_rmse"] > 0


def test_nasa_data_with_the_official_protocol(tmp_path: Path, environment: dict[str, str], nasa_dir: Path) -> None:
    tiny = [override for override in TINY if not override.startswith("dataset.")]
    done = train(tmp_path, environment, "dataset=turbofan", f"data_dir={nasa_dir.resolve()}", tiny=tiny)
    assert done.returncode == 0, done.stderr
    metrics = metrics_of(only_run(tmp_path / "sweep"))
    assert metrics["num_units"] == 30
    # With a horizon of 20 no prediction exceeds 20, and most engines have more than that left.
    assert 60 < metrics["official_rmse"] < 105
    assert metrics["official_score"] > 0


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("cuda", "no GPU was found"),
        pytest.param(
            "mps",
            "Apple's GPUs are in Macs",
            marks=pytest.mark.skipif(sys.platform == "darwin", reason="there is one"),
        ),
    ],
)
@pytest.mark.parametrize("sweep", [[], ["-m"]], ids=["run", "sweep"])
def test_a_gpu_that_is_not_there_is_one_line_and_leaves_nothing_behind(
    tmp_path: Path, environment: dict[str, str], device: str, reason: str, sweep: list[str]
) -> None:
    tiny = [override for override in TINY if not override.startswith("device=")]
    no_gpu = {**environment, "CUDA_VISIBLE_DEVICES": ""}
    done = train(tmp_path, no_gpu, *sweep, f"device={device}", tiny=tiny)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert f"device={device}: {reason}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_directory_of_another_run_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    assert train(tmp_path, environment, "hydra.run.dir=here").returncode == 0
    metrics = (tmp_path / "here" / "test_metrics.json").read_text()
    done = train(tmp_path, environment, "hydra.run.dir=here", "seed=1")
    assert done.returncode == 2
    assert "holds run" in done.stderr
    assert (tmp_path / "here" / "test_metrics.json").read_text() == metrics
    assert json.loads((tmp_path / "here" / "status.json").read_text())["state"] == "completed"


@pytest.mark.parametrize("launcher", [pytest.param("basic", marks=pytest.mark.slow), "joblib"])
def test_a_run_that_another_process_does_is_left_alone(
    tmp_path: Path, environment: dict[str, str], launcher: str
) -> None:
    assert train(tmp_path, environment, "num_epochs=1").returncode == 0
    run = only_run(tmp_path / "sweep")
    rows = run.training_log.read_text()
    run.test_metrics.unlink()
    run.update(state="running")
    claim = Claim.take(run.path)
    assert claim is not None
    try:
        done = train(tmp_path, environment, "-m", "num_epochs=1", f"hydra/launcher={launcher}")
        assert done.returncode != 0
        assert f"is being done by process {os.getpid()} on " in done.stderr
        assert run.training_log.read_text() == rows
        assert run.status_or_empty()["state"] == "running"
    finally:
        claim.release()
    done = train(tmp_path, environment, "-m", "num_epochs=1", f"hydra/launcher={launcher}")
    assert done.returncode == 0, done.stderr
    assert run.test_metrics.exists()


def test_a_run_that_a_search_pruned_is_evaluated_and_trained_on_by_a_grid(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    # The negative log-likelihood of the first epoch is above 0, which this pruner does not allow.
    threshold = ["hydra/sweeper/pruner=threshold", "hydra.sweeper.pruner.upper=0", "hydra.sweeper.n_trials=1"]
    searched = train(tmp_path, environment, "-m", "hydra/sweeper=optuna", *threshold)
    assert searched.returncode == 0, searched.stderr + searched.stdout
    run = only_run(tmp_path / "sweep")
    status, metrics = run.status_or_empty(), metrics_of(run)
    assert (status["state"], status["epoch"], status["trial"], status["error"]) == ("pruned", 1, 0, None)
    assert (metrics["pruned"], metrics["epochs_run"]) == (True, 1)
    assert status["return_value"] == metrics["validation"]["nll"]
    assert run.checkpoint_last.exists()
    assert "1 pruned" in searched.stdout

    assert train(tmp_path, environment, "-m").returncode == 0
    assert only_run(tmp_path / "sweep").status_or_empty()["state"] == "completed"
    assert "pruned" not in metrics_of(run)
    # In a sweep as well: by another number of threads the last digits differ on some processors.
    assert train(tmp_path, environment, "-m", sweep="afresh").returncode == 0
    losses = [
        [row["validation_nll"] for row in csv.DictReader(only_run(tmp_path / sweep).training_log.open())]
        for sweep in ("sweep", "afresh")
    ]
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]

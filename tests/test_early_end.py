"""A real training that is asked to end early, and goes on later."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from programs import TRAINING, run_program, start_program

from ddrsa.rundir.asked import ask_to_end
from ddrsa.rundir.training import TrainingDirectory, find_trainings

TRAIN = Path(__file__).parent.parent / "train.py"
SMALL = [
    *("dataset.num_units=10", "lookback=6", "horizon=20", "num_epochs=9", "patience=0", "batch_size=256"),
    *("model=gru", "kernel=torch", "model.hidden_size=4", "device=cpu"),
]


def _environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "DDRSA_CACHE_DIR": str(tmp_path / "cache"), "DDRSA_LEASE_DIR": str(tmp_path / "leases")}


def _only(sweep: Path) -> TrainingDirectory:
    (run,) = find_trainings(sweep)
    return run


def test_a_training_is_evaluated_as_it_is_and_later_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    command = ["-m", *SMALL, "hydra.sweep.dir=asked"]
    process = start_program(TRAIN, *command, imports=TRAINING, cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 120
    while not (runs := find_trainings(tmp_path / "asked")) or not runs[0].status_or_empty().get("epoch"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run = _only(tmp_path / "asked")
    ask_to_end(run.path, run.status_or_empty()["attempt"], "the deadline 18:00")
    assert process.wait(timeout=120) == 1  # without a deadline of its own the sweep did not want that

    status = run.status_or_empty()
    done = status["epoch"]
    assert 0 < done < 9
    assert status["state"] == "interrupted"
    assert status["error"] == (
        f"ended early, after epoch {done} of 9: the deadline 18:00; early_metrics.json has what it can do so far"
    )
    early = json.loads(run.early_metrics.read_text())
    assert early["ended_early"] == {"epochs": done, "of": 9, "reason": "the deadline 18:00"}
    assert early["epochs_run"] == done
    assert early["validation"]["nll"] > 0
    # Nothing takes it for a result.
    assert not run.test_metrics.exists()
    assert "return_value" not in status

    again = run_program(TRAIN, *command, imports=TRAINING, cwd=tmp_path, env=environment)
    assert again.returncode == 0, again.stderr
    whole = run_program(TRAIN, "-m", *SMALL, "hydra.sweep.dir=whole", imports=TRAINING, cwd=tmp_path, env=environment)
    assert whole.returncode == 0, whole.stderr
    assert not run.early_metrics.exists()
    results = [_only(tmp_path / name).read_test_metrics() or {} for name in ("asked", "whole")]
    for result in results:
        result.pop("training_time_seconds")
        result.pop("checksum", None)
    assert results[0] == results[1]
    assert results[0]["epochs_run"] == 9


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["deadline=18:00"], "deadline=18:00: it is the time of a sweep, which needs -m"),
        (
            ["-m", "budget=6h", "hydra/launcher=basic"],
            "budget=6h: hydra/launcher=supervised, ray and slurm can keep it",
        ),
        (["-m", "deadline=24:00"], "deadline=24:00: there is no such time of day"),
    ],
)
def test_where_there_is_none(tmp_path: Path, overrides: list[str], said: str) -> None:
    done = run_program(TRAIN, *overrides, *SMALL, imports=TRAINING, cwd=tmp_path, env=_environment(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1

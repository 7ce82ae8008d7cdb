"""A bench of trainings: sweeps of train.py, whose checkpoints and metrics are damaged as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaos_bench import ChaosBench, require

import ddrsa.commands.train
from ddrsa.errors import DataError
from ddrsa.rundir.epoch_rows import read_rows
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.training.checkpoint import load_checkpoint

TRAINING = [
    "model=gru",
    "seed=0,1",
    "experiment=quick",
    "num_epochs=4",
    "lookback=8",
    "horizon=16",
    "dataset.num_units=12",
    "device=cpu",
    "kernel=torch",
    "hydra.sweep.dir=sweep",
    "hydra.sweep.subdir=x${seed}",
    "hydra.launcher.n_jobs=2",
    "hydra.launcher.retries=20",
]
# Of the test metrics: how long it took.
_TIMES = ("training_time_seconds",)


class TrainingBench(ChaosBench):
    """Sweeps of train.py."""

    def make_program(self) -> Path:
        return Path(ddrsa.commands.train.__file__).parents[2] / "train.py"

    def steps_done(self) -> int:
        logs = (TrainingDirectory(file.parent).training_log for file in self.sweep.glob("*/training_log.csv"))
        return sum(max(log.read_bytes().count(b"\n") - 1, 0) for log in logs)

    def results(self) -> dict[str, Any]:
        found = {}
        for file in sorted(self.sweep.glob("*/status.json")):
            run = TrainingDirectory(file.parent)
            status, metrics = run.read_status() or {}, run.read_test_metrics() or {}
            # Without the seconds, and the checksum, which knows them.
            rows = [list(row.values())[:-1] for row in read_rows(run.training_log)[0]]
            kept = {key: value for key, value in metrics.items() if key not in _TIMES}
            found[run.path.name] = (status["state"], status.get("return_value"), rows, kept)
        return found

    def check(self, reference: dict[str, Any]) -> None:
        super().check(reference)
        for name, (_, _, rows, _) in reference.items():
            try:
                checkpoint = load_checkpoint(self.sweep / name / "checkpoint_best.pt")
            except DataError:
                continue  # that of a completed run is looked at when it is used, and refused
            losses = [float(row[2]) for row in rows]
            best = checkpoint["progress"]["best_epoch"]
            require(losses[best - 1] == min(losses), f"{name} has epoch {best} as the best of {losses}")

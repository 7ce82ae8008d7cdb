"""Run directories of trainings: the files that they have beside those of any run.

training_log.csv     one row per epoch
checkpoint_best.pt   the weights with the lowest validation loss
checkpoint_last.pt   everything that is needed to go on
checkpoint_previous.pt   the one before it, until the run has completed: where the last one is damaged, it goes on here
"""

from __future__ import annotations

from pathlib import Path

from ddrsa.rundir.directory import RunDirectory, find_runs


class TrainingDirectory(RunDirectory):
    """The directory of a training."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.training_log = self.path / "training_log.csv"
        self.checkpoint_best = self.path / "checkpoint_best.pt"
        self.checkpoint_last = self.path / "checkpoint_last.pt"
        self.checkpoint_previous = self.path / "checkpoint_previous.pt"


def find_trainings(sweep_dir: Path | str) -> list[TrainingDirectory]:
    """As `find_runs`."""
    return [TrainingDirectory(run.path) for run in find_runs(sweep_dir)]

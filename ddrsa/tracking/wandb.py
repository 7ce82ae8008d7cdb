"""Weights & Biases: the runs of a sweep are a group, with one more run for the sweep itself.

With WANDB_MODE=offline no server is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.rundir.files import make_directory
from ddrsa.rundir.states import State
from ddrsa.tracking.base import Described, Point

FOLDER = "wandb"
# As wandb has it of a program that was interrupted; it shows such a run as killed.
_KILLED_EXIT_CODE = 255
_EXIT_CODES = {
    **dict.fromkeys((State.COMPLETED, State.PRUNED), 0),
    **dict.fromkeys((State.KILLED, State.INTERRUPTED), _KILLED_EXIT_CODE),
}
_INIT_SECONDS = 20


@dataclass(frozen=True)
class WandbOptions:
    """project: its name; null: WANDB_PROJECT, or else the name of the program."""

    project: str | None = None


class WandbTracker:
    """See `ddrsa.tracking.base.Tracker`.

    wandb keeps what it is told in a folder of the sweep until it has been sent, and a run that is resumed goes on after
    its last step.
    """

    name = "wandb"
    durable = False  # what is under way is sent by another process, which ends with this one

    def __init__(self, options: WandbOptions, directory: Path, program: str) -> None:
        """directory: of the sweep. program: the default name of the project."""
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        self._wandb = wandb
        self._directory = directory
        self._project = options.project or os.environ.get("WANDB_PROJECT") or _plain(program)
        self._offline = os.environ.get("WANDB_MODE", "online") == "offline"
        self._group = "/".join(directory.absolute().parts[-2:])[-128:]
        self._open: dict[str, Any] = {}
        self._described: dict[str, Described] = {}
        mode = "offline" if self._offline else os.environ.get("WANDB_BASE_URL", "api.wandb.ai").rpartition("@")[2]
        self.place = f"{mode} {self._project}"

    def open(self, described: Described, known: str | None) -> str:
        entry = known or hashlib.sha256(described.key.encode()).hexdigest()[:16]
        self._described[entry] = described
        if self._offline and known is None:
            _remove_unfinished(self._directory, entry)
        self._run(entry)
        return entry

    def points(self, entry: str, points: Sequence[Point]) -> None:
        run = self._run(entry)
        steps: dict[int, dict[str, float]] = {}
        for each in points:
            steps.setdefault(each.step, {})[each.name] = each.value
        for step, values in steps.items():
            run.log(values, step=step)

    def summary(self, entry: str, metrics: Mapping[str, float], tags: Mapping[str, str], step: int) -> None:
        del step
        run = self._run(entry)
        run.summary.update(dict(metrics))
        run.config.update(
            {key: value for key, value in tags.items() if key.startswith("ddrsa.")}, allow_val_change=True
        )

    def files(self, entry: str, files: Sequence[tuple[Path, str]]) -> list[str]:
        artifact = self._wandb.Artifact(f"run-{entry}", type="run")
        for path, folder in files:
            artifact.add_file(str(path), f"{folder}/{path.name}" if folder else path.name)
        run = self._run(entry)
        run.log_artifact(artifact)
        pictures = {path.stem: self._wandb.Image(str(path)) for path, _ in files if path.suffix == ".png"}
        run.summary.update(pictures)
        return []

    def state(self, entry: str, state: State, reason: str | None, ended: int | None) -> None:
        del ended
        run = self._run(entry)
        run.config.update({"ddrsa.state": str(state), "ddrsa.reason": reason or ""}, allow_val_change=True)
        if state.has_ended:
            run.finish(exit_code=_EXIT_CODES.get(state, 1))
            del self._open[entry]

    def close(self) -> None:
        """Leave what is under way as it is: it is gone on with."""
        for run in self._open.values():
            run.finish(exit_code=_KILLED_EXIT_CODE)
        self._open.clear()

    def _run(self, entry: str) -> Any:
        if entry in self._open:
            return self._open[entry]
        described = self._described[entry]
        folder = self._directory / FOLDER
        make_directory(folder, self._directory)
        settings = self._wandb.Settings(
            console="off", silent=True, disable_git=True, disable_code=True, save_code=False, disable_job_creation=True,
            x_disable_stats=True, x_disable_meta=True, init_timeout=_INIT_SECONDS, login_timeout=_INIT_SECONDS,
        )  # fmt: skip
        self._open[entry] = self._wandb.init(
            id=entry,
            resume="allow",
            project=self._project,
            group=self._group,
            job_type="sweep" if described.is_sweep else "run",
            name=described.name[-128:],
            config={**described.params, **described.tags},
            dir=str(self._directory),
            settings=settings,
            reinit="create_new",
        )
        return self._open[entry]


def _plain(name: str) -> str:
    """Without what no project may have in its name."""
    return "".join("_" if each in "/\\#?%:" else each for each in name)[:128]


def _remove_unfinished(directory: Path, entry: str) -> None:
    """Remove what an offline run that was cut off has left: all of it is told again."""
    for folder in (directory / FOLDER).glob(f"offline-run-*-{entry}"):
        with suppress(OSError):
            shutil.rmtree(folder)

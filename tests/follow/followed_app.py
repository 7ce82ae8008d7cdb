"""A Hydra app that knows nothing of this project, and what TensorBoard has been told of its sweeps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddrsa.tracking.ledger import read_ledger

APP = """
import os, signal, sys, time
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(config_path=None, config_name="app", version_base="1.3")
def main(cfg):
    out = Path(HydraConfig.get().runtime.output_dir)
    for epoch in range(1, 4):
        with (out / "metrics.csv").open("a") as stream:
            if epoch == 1:
                stream.write("epoch,loss\\n")
            stream.write(f"{epoch},{cfg.x + epoch}\\n")
    if cfg.x == 13:
        raise ValueError("thirteen")
    while cfg.x == 99 and not Path("go").exists():
        time.sleep(0.1)
    return cfg.x

main()
"""
PATIENCE = 900  # seconds: for a machine that does much else
CONFIG = "x: 0\nhydra: {sweep: {dir: sweep, subdir: 'x${x}'}}\n"


class FollowedApp:
    """A Hydra app that knows nothing of this project, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sweep = folder / "sweep"
        (folder / "app.py").write_text(APP.replace("config_path=None", "config_path='.'"))
        (folder / "app.yaml").write_text(CONFIG)
        self.environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "app.py", *overrides],
            cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *overrides: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        process = self.start(*overrides)
        printed, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, printed

    def losses(self, name: str) -> list[tuple[int, float]]:
        """What TensorBoard has of a run."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        (folder,) = (self.sweep / "tensorboard").glob(f"{name}_*")
        events = EventAccumulator(str(folder))
        events.Reload()
        return [(event.step, event.value) for event in events.Scalars("epoch/loss")]

    def told(self) -> dict[str, str]:
        """The state of each run in the ledger."""
        places = read_ledger(self.sweep, "tensorboard").get("places", {})
        entries: dict[str, Any] = places.get("tensorboard", {}).get("runs", {})
        return {entry["id"].partition("_")[0]: entry["state"] for entry in entries.values()}


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _holds(holds):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _holds(holds: Callable[[], object]) -> bool:
    try:
        return bool(holds())
    except (KeyError, ValueError):
        return False

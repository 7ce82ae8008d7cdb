"""What the checks share: where they work, on which device, and how they start runs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class NotRunError(Exception):
    """The check cannot be done here, for the reason that the message has."""


def no_gpu() -> str | None:
    """Why there is no GPU to check; None where there is one."""
    try:
        import torch
    except ImportError:
        return "no PyTorch"
    from ddrsa.sweep.gpu.visible import visible_gpus

    if not torch.cuda.is_available():
        return "no GPU"
    return None if visible_gpus() else "no GPU that NVML shows"


@dataclass(frozen=True)
class Bench:
    """out: where the checks work. device: cuda, or cpu to try the checks. full: not only the short form."""

    out: Path
    device: str
    full: bool

    def describe(self) -> str:
        """The machine in one line."""
        import torch

        python = f"Python {sys.version.split()[0]}, torch {torch.__version__}"
        if not torch.cuda.is_available():
            return f"{python}, no GPU, {os.cpu_count()} cores"
        return f"{python}, {torch.cuda.device_count()} x {torch.cuda.get_device_name()}, {os.cpu_count()} cores"

    def require_gpu(self) -> None:
        """Raise NotRunError where the checks are only tried."""
        if self.device != "cuda":
            raise NotRunError("it needs a GPU")

    def train(self, name: str, *overrides: str, check: bool = True, **environ: str) -> Path:
        """Do a sweep of small runs; returns its directory. Raises RuntimeError where it fails."""
        directory = self.out / name
        small = ["dataset.num_units=20", "lookback=32", "horizon=32", "patience=0", f"device={self.device}"]
        command = [sys.executable, str(ROOT / "train.py"), "-m", *small, *overrides, f"hydra.sweep.dir={directory}"]
        result = self.run(command, **environ)
        if check and result.returncode:
            raise RuntimeError(f"{' '.join(command[1:])} ended with {result.returncode}: {result.stderr[-800:]}")
        return directory

    def run(self, command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
        """A command in the directory of the checks."""
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        whole = {**os.environ, "PYTHONPATH": path, "DDRSA_CACHE_DIR": str(self.out / "cache"), **environ}
        return subprocess.run(command, cwd=self.out, env=whole, text=True, capture_output=True, timeout=540)

    def python(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """A program of a few lines, with pipes."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environ, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def results(directory: Path) -> list[dict[str, Any]]:
    """The runs of a sweep, from all_results.json."""
    runs: list[dict[str, Any]] = json.loads((directory / "all_results.json").read_text())["runs"]
    return runs


def statuses(directory: Path) -> list[dict[str, Any]]:
    """The status.json of each run."""
    return [json.loads((directory / run["directory"] / "status.json").read_text()) for run in results(directory)]


def losses(directory: Path) -> list[list[dict[str, str]]]:
    """The rows of each run's training_log.csv."""
    found = []
    for run in results(directory):
        with (directory / run["directory"] / "training_log.csv").open() as stream:
            found.append(list(csv.DictReader(stream)))
    return found


def all_completed(directory: Path, count: int) -> None:
    """Raise RuntimeError where not so many runs have completed."""
    states = [run["state"] for run in results(directory)]
    if states != ["completed"] * count:
        reasons = [run.get("error") for run in results(directory) if run["state"] != "completed"]
        raise RuntimeError(f"of {count} runs the states are {states}: {reasons[:2]}")

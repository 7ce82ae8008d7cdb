"""Sweeps of supervised_app.py in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json

ROOT = Path(__file__).parents[2]
CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: checked}, _self_]
x: 0
count: 20
seconds: 0.05
hydra: {sweep: {dir: sweep, subdir: "x${x}"}, launcher: {n_jobs: 2}}
"""


class Sweeps:
    """Starts sweeps in `directory`, and looks at what is left there."""

    app = "supervised_app"
    config = CONFIG

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[subprocess.Popen[str]] = []
        self.environ = {"PYTHONPATH": str(ROOT), "DDRSA_LEASE_DIR": str(directory / "leases")}
        (directory / f"{self.app}.yaml").write_text(self.config)
        app = Path(__file__).with_name(f"{self.app}.py").read_text()
        (directory / f"{self.app}.py").write_text(app.replace("config_path=None", 'config_path="."'))

        self.do({})

    def do(self, what: dict[int, str]) -> None:
        """What the runs with these values of `x` shall do, as supervised_app.py has it; the others end well."""
        (self.directory / "do.json").write_text(json.dumps(what))

    def with_gpus(self, *gpus: str, gpus_key: object = "auto", runs_per_gpu: object) -> None:
        """Give the sweeps a fake driver with these GPUs of 80 GiB."""
        self.environ["PYTHONPATH"] += f":{Path(__file__).with_name('fake_driver')}"
        self.environ |= {"FAKE_GPUS": ",".join(gpus), "FAKE_TOTAL": str(80 * 2**30)}
        self.environ |= {"FAKE_ALLOCATIONS": str(self.directory)}
        self.environ |= {"GPUS": json.dumps(gpus_key), "RUNS_PER_GPU": json.dumps(runs_per_gpu)}

    def start(self, *overrides: str, multirun: bool = True, on: Sequence[str] = ()) -> subprocess.Popen[str]:
        """on: a command that runs the one after it, as on another machine."""
        command = [*on, sys.executable, f"{self.app}.py", *(["-m"] if multirun else []), *overrides]
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env={**os.environ, **self.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *overrides: str) -> tuple[int, str]:
        """Returns the exit code and what was printed."""
        process = self.start(*overrides)
        output, _ = process.communicate(timeout=100)
        return process.returncode, output

    def path(self, name: str) -> RunDirectory:
        return RunDirectory(self.directory / "sweep" / name)

    def status(self, name: str) -> dict[str, Any]:
        return self.path(name).read_status() or {}

    def states(self) -> dict[str, str]:
        files = sorted((self.directory / "sweep").glob("*/status.json"))
        return {file.parent.name: (read_json(file) or {})["state"] for file in files}

    def starts(self) -> list[dict[str, Any]]:
        """Each start of the task: x, pid, directory."""
        file = self.directory / "starts.txt"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def epochs(self, name: str) -> list[int]:
        file = self.path(name).path / "epochs.txt"
        return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []

    def results(self) -> dict[str, Any]:
        return read_json(self.directory / "sweep" / "all_results.json") or {}

    def processes(self) -> list[psutil.Process]:
        """All that were started from this directory and live, but for the launchers."""
        launchers = {process.pid for process in self.started}
        found = []
        for process in psutil.process_iter():
            try:
                here = process.cwd() == str(self.directory) and process.status() != psutil.STATUS_ZOMBIE
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if here and process.pid not in launchers:
                found.append(process)
        return found


def until(holds: Callable[[], Any], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)

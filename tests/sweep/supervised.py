"""Sweeps of supervised_app.py in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from programs import LAUNCHING, launch

from ddrsa.rundir.files import read_json
from ddrsa.sweep.process.server_process import PORTABLE_VARIABLE
from ddrsa.sweep.verify.bench import Launches

ROOT = Path(__file__).parents[2]
FAKE_DRIVER = Path(__file__).with_name("fake_driver")
CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: checked}, _self_]
x: 0
count: 20
seconds: 0.05
hydra: {sweep: {dir: sweep, subdir: "x${x}"}, launcher: {n_jobs: 2}}
"""

# A test of `sweeps` so marked is done where the kernel binds the runs to the launcher, and as where it cannot.
_WAYS = {"kernel": {}, "portable": {PORTABLE_VARIABLE: "1"}}
both_ways = pytest.mark.parametrize("sweeps", _WAYS.values(), ids=_WAYS.keys(), indirect=True)
# The same, the second only with the slow tests: others show quickly that it works there.
both_ways_slowly = pytest.mark.parametrize(
    "sweeps",
    [pytest.param({}, id="kernel"), pytest.param(_WAYS["portable"], id="portable", marks=pytest.mark.slow)],
    indirect=True,
)


class Sweeps(Launches):
    """Starts sweeps in `directory`, and looks at what is left there."""

    app = "supervised_app"
    config = CONFIG
    imports = LAUNCHING
    patience = 280  # seconds until a sweep is taken for one that hangs, on a machine that does much else

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (directory / f"{self.app}.yaml").write_text(self.config)
        app = Path(__file__).with_name(f"{self.app}.py").read_text()
        (directory / f"{self.app}.py").write_text(app.replace("config_path=None", 'config_path="."'))
        self.do({})

    def do(self, what: dict[int, str]) -> None:
        """What the runs with these values of `x` shall do, as supervised_app.py has it; the others end well."""
        (self.directory / "do.json").write_text(json.dumps(what))

    def with_gpus(self, *gpus: str, gpus_key: object = "auto", runs_per_gpu: object) -> None:
        """Give the sweeps a fake driver with these GPUs of 80 GiB."""
        self.environ["PYTHONPATH"] = os.pathsep.join([str(FAKE_DRIVER), self.environ["PYTHONPATH"]])
        self.environ |= {"FAKE_GPUS": ",".join(gpus), "FAKE_TOTAL": str(80 * 2**30)}
        self.environ |= {"FAKE_ALLOCATIONS": str(self.directory)}
        self.environ |= {"GPUS": json.dumps(gpus_key), "RUNS_PER_GPU": json.dumps(runs_per_gpu)}

    def start(self, *overrides: str, multirun: bool = True, on: Sequence[str] = ()) -> subprocess.Popen[str]:
        """on: a command that runs the one after it, as on another machine."""
        command = [f"{self.app}.py", *(["-m"] if multirun else []), *overrides]
        if on or "FAKE_GPUS" in self.environ:  # another driver is imported
            return self.launch(*on, sys.executable, *command)
        return launch(self, *command, imports=self.imports)

    def printed_by(self, process: subprocess.Popen[str]) -> list[str]:
        """The lines that a sweep prints, as it prints them."""
        lines: list[str] = []
        stream = process.stdout
        assert stream is not None
        threading.Thread(target=lambda: lines.extend(stream), daemon=True).start()
        return lines

    def run(self, *overrides: str) -> tuple[int, str]:
        """Returns the exit code and what was printed."""
        return self.finish(self.start(*overrides), self.patience)

    def states(self) -> dict[str, str]:
        files = sorted((self.directory / "sweep").glob("*/status.json"))
        return {file.parent.name: (read_json(file) or {})["state"] for file in files}

    def starts(self) -> list[dict[str, Any]]:
        """Each start of the task: x, pid, directory."""
        return self.events("begins")

    def epochs(self, name: str) -> list[int]:
        return self.steps(name)

    def results(self) -> dict[str, Any]:
        return read_json(self.directory / "sweep" / "all_results.json") or {}

"""Sweeps of `ddrsa.sweep.verify.task` in a directory of their own, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

import ddrsa
from ddrsa.rundir.directory import RunDirectory

# Far more than a sweep of these takes, so that a machine with other work to do is not taken for a broken one.
SECONDS_OF_A_SWEEP = 90.0
SECONDS_OF_AN_EVENT = 30.0
STEPS = 20  # of a run that goes on from its last

CONFIG = """
defaults: [{{override hydra/launcher: {launcher}}}, {{override hydra/sweeper: checked}}, _self_]
x: 0
hydra: {{sweep: {{dir: sweep, subdir: "x${{x}}"}}}}
"""


class CheckFailed(Exception):  # noqa: N818 - it is a finding
    """What is promised does not hold here; the message says what was seen."""


def require(holds: bool, seen: str) -> None:
    """Raise CheckFailed with `seen` unless it holds."""
    if not holds:
        raise CheckFailed(seen)


class Bench:
    """Starts sweeps in `directory`. Use as a context: at its end all that was started there is killed."""

    def __init__(self, directory: Path, launcher: str = "supervised") -> None:
        """launcher: the name of the launcher that is tried."""
        self.directory = directory
        self._launched: list[subprocess.Popen[str]] = []
        directory.mkdir()
        (directory / "conf").mkdir()
        (directory / "conf" / "task.yaml").write_text(CONFIG.format(launcher=launcher))
        # The package that is verified is this one, whatever else is installed.
        package = str(Path(ddrsa.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        self._environ = {**os.environ, "PYTHONPATH": path, "DDRSA_LEASE_DIR": str(directory / "leases")}
        self.plan({})

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for launcher in self._launched:
            launcher.kill()
            launcher.communicate()

    def plan(self, do: Mapping[int, str], gpus: Any = None) -> None:
        """What the run of each x shall do, as `verify_task` has it; the others end at once."""
        (self.directory / "do.json").write_text(json.dumps({"do": do, "gpus": gpus, "steps": STEPS}))

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """Start a sweep."""
        place = ["--config-path", str(self.directory / "conf"), "--config-name", "task"]
        process = subprocess.Popen(
            [sys.executable, "-m", "ddrsa.sweep.verify.task", "-m", *place, *overrides],
            cwd=self.directory,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._launched.append(process)
        return process

    def end(self, process: subprocess.Popen[str], exit_code: int) -> str:
        """Wait for a sweep, and give what it printed. Raises CheckFailed where it ends with another exit code."""
        try:
            output, _ = process.communicate(timeout=SECONDS_OF_A_SWEEP)
        except subprocess.TimeoutExpired as error:
            raise CheckFailed(f"a sweep did not end in {SECONDS_OF_A_SWEEP:g} s") from error
        found = process.returncode
        if found != exit_code:
            name = f"signal {signal.Signals(-found).name}" if found < 0 else f"exit code {found}"
            last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
            raise CheckFailed(f"a sweep ended with {name} instead of {exit_code}: {last}")
        return output

    def run(self, *overrides: str, exit_code: int = 0) -> str:
        """Start a sweep and wait for it."""
        return self.end(self.start(*overrides), exit_code)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the runs have said of this kind, in its order."""
        file = self.directory / "events.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def status(self, x: int) -> dict[str, Any]:
        """The status.json of a run; empty where it has none."""
        return RunDirectory(self.directory / "sweep" / f"x{x}").read_status() or {}

    def states(self, count: int) -> list[str | None]:
        """The states of the runs x = 0 .. count - 1."""
        return [self.status(x).get("state") for x in range(count)]

    def log(self, x: int) -> str:
        """The run.log of a run."""
        file = RunDirectory(self.directory / "sweep" / f"x{x}").log
        return file.read_text() if file.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """All that work in this directory, but for the launchers."""
        launchers = {process.pid for process in self._launched}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                here = process.cwd() == str(self.directory) and process.status() != psutil.STATUS_ZOMBIE
                if here and process.pid not in launchers:
                    found.append(process)
        return found

    def until(self, holds: Callable[[], Any], what: str, seconds: float = SECONDS_OF_AN_EVENT) -> None:
        """Wait until it holds. Raises CheckFailed, with `what` did not come about."""
        deadline = time.monotonic() + seconds
        while not holds():
            require(time.monotonic() < deadline, what)
            time.sleep(0.02)

    def until_begun(self, count: int) -> None:
        """Wait until so many runs have begun, in all sweeps together. Raises CheckFailed."""
        self.until(lambda: len(self.events("begins")) >= count, f"{count} runs did not start")

    def require_no_processes(self, seconds: float = 10.0) -> None:
        """Raise CheckFailed where one is left over for longer than that."""
        self.until(lambda: not self.processes(), f"processes were left over after {seconds:g} s", seconds)

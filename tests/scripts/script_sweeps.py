"""Folders of training scripts, and sweeps of them by train.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json

ROOT = Path(__file__).parents[2]

SCRIPTS = {
    "train_argparse.py": """
        import argparse, json, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=int, default=1)
        parser.add_argument("--batch-size", type=int, default=8)
        parser.add_argument("--learning-rate", type=float, default=0.1)
        parser.add_argument("--output-dir", required=True)
        options = parser.parse_args()
        for epoch in range(options.epochs):
            print("epoch", epoch + 1)
        result = {"accuracy": 0.5 + options.learning_rate, "test": {"loss": options.epochs}}
        pathlib.Path(options.output_dir, "metrics.json").write_text(json.dumps(result))
        """,
    "train_click.py": """
        import click

        @click.command()
        @click.option("--num-epochs", default=1)
        @click.option("--batch", default=8)
        @click.option("--outdir", default=None)
        def main(num_epochs, batch, outdir):
            print("click", num_epochs, batch)
            with open(outdir + "/result.json", "w") as stream:
                stream.write('{"accuracy": 0.25}')

        main()
        """,
    "train_loop.py": """
        import argparse
        parser = argparse.ArgumentParser()
        for name in ("epochs", "folds"):
            parser.add_argument(f"--n_{name}", type=int)
        print("loop", parser.parse_args())
        """,
    "train_none.py": """
        import os
        print("none", os.environ["DDRSA_OUTPUT_DIR"])
        """,
    "train_argv.py": "import sys; print('argv', sys.argv[1:])",
    "heart/train_risk.py": "print('heart')",
    "brain/train_risk.py": "print('brain')",
    "train_fails.py": "print('working'); raise ValueError('the data are missing')",
    "train_hangs.py": """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
        print("hanging")
        time.sleep(3600)
        """,
    "train_killed.py": """
        import os, signal
        print("half-way")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
}


class ScriptSweeps:
    """Starts sweeps of the scripts in `directory`/code, and looks at what is left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.code = directory / "code"
        self.sweep = directory / "sweep"
        self.started: list[subprocess.Popen[str]] = []
        self.environ = {"PYTHONPATH": str(ROOT), "DDRSA_LEASE_DIR": str(directory / "leases")}

    def write(self, scripts: dict[str, str]) -> None:
        for name, text in scripts.items():
            path = self.code / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "train.py"), "experiment=scripts", "hydra.sweep.dir=sweep"]
        if not any(override.startswith("scripts.root=") for override in overrides):
            command.append("scripts.root=code")
        process = subprocess.Popen(
            [*command, *overrides],
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
        output, _ = process.communicate(timeout=150)
        return process.returncode, output

    def runs(self) -> dict[str, RunDirectory]:
        """The run directories by the id of their script; of several with one id, the last."""
        return {path.parent.parent.name: RunDirectory(path.parent) for path in self._status_files()}

    def states(self) -> dict[str, str]:
        return {name: (run.read_status() or {})["state"] for name, run in self.runs().items()}

    def status(self, name: str) -> dict[str, Any]:
        return self.runs()[name].read_status() or {}

    def summary(self) -> dict[str, Any]:
        """The last."""
        return read_json(max((self.sweep / "summaries").glob("training_summary_*.json"))) or {}

    def answers(self, *options: str) -> list[dict[str, Any]]:
        """What analyze.py says of the sweep."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "analyze.py"), "hydra.sweep.dir=sweep", *options, "--json"],
            cwd=self.directory,
            env={**os.environ, **self.environ},
            check=True,
            capture_output=True,
            text=True,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["answers"]
        return found

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Those of a file in the working directory, as JSON."""
        file = self.directory / name
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def processes(self) -> list[psutil.Process]:
        """All that work in this directory, but for the launchers."""
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

    def _status_files(self) -> list[Path]:
        return sorted(self.sweep.glob("logs/scripts/*/*/status.json"))


def until(holds: Callable[[], Any], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)

"""Folders of training scripts, and sweeps of them by train.py."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from programs import ANALYSIS, LAUNCHING_SCRIPTS, launch, run_program

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json
from ddrsa.sweep.verify import bench
from ddrsa.sweep.verify.bench import Launches

ROOT = Path(__file__).parents[2]
PATIENCE = 400  # seconds: what does not come about in a machine that does much else, not what should take so long

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


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until it holds; `what` did not come about."""
    bench.until(holds, what, PATIENCE)


class ScriptSweeps(Launches):
    """Starts sweeps of the scripts in `directory`/code, and looks at what is left."""

    patience = PATIENCE

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.code = directory / "code"
        self.sweep = directory / "sweep"

    def write(self, scripts: dict[str, str]) -> None:
        for name, text in scripts.items():
            path = self.code / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        root = [] if any(override.startswith("scripts.root=") for override in overrides) else ["scripts.root=code"]
        train = (ROOT / "train.py", "experiment=scripts", "hydra.sweep.dir=sweep")
        return launch(self, *train, *root, *overrides, imports=LAUNCHING_SCRIPTS)

    def run(self, *overrides: str) -> tuple[int, str]:
        """Returns the exit code and what was printed."""
        return self.finish(self.start(*overrides), self.patience)

    def runs(self) -> dict[str, RunDirectory]:
        """The run directories by the id of their script; of several with one id, the last."""
        files = sorted(self.sweep.glob("logs/scripts/*/*/status.json"))
        return {path.parent.parent.name: RunDirectory(path.parent) for path in files}

    def states(self) -> dict[str, str]:
        return {name: (run.read_status() or {})["state"] for name, run in self.runs().items()}

    def path(self, name: str) -> RunDirectory:
        """The directory of the run of this script."""
        return self.runs()[name]

    def summary(self) -> dict[str, Any]:
        """The last."""
        return read_json(max((self.sweep / "summaries").glob("training_summary_*.json"))) or {}

    def answers(self, *options: str) -> list[dict[str, Any]]:
        """What analyze.py says of the sweep."""
        asked = ("hydra.sweep.dir=sweep", *options, "--json")
        environ = {**os.environ, **self.environ}
        done = run_program(ROOT / "analyze.py", *asked, imports=ANALYSIS, cwd=self.directory, env=environ)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["answers"]
        return found

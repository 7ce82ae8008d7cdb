"""Hydra's launchers and its optuna sweeper beside the supervised launcher and the search of this project.

    python benchmarks/hydra_launchers.py [--seconds 1] [--optuna-sweeper PYTHON]

An app of Hydra without a line of the project's does 8 runs of SECONDS each, two at once where the launcher can: first
undisturbed; then again with one run that ends itself by SIGKILL the first time, and the same command once more. Where
`hydra-submitit-launcher` is installed, its local launcher is among them. PYTHON is an interpreter in whose environment
hydra-optuna-sweeper and hydra-joblib-launcher are installed, which need an Optuna below 3 and SQLAlchemy below 2: there
and here a search of 8 trials of unequal length is done, on a grid, two at once, one of them killed as above, and then
the same command is given again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

RUNS = 8
VICTIM = 3

APP = """
import json, os, signal, time
from pathlib import Path
import hydra

@hydra.main(config_path=None, config_name="config", version_base="1.2")
def main(config):
    start = time.time()
    victim = Path(config.place, "victim")
    if victim.exists() and int(config.n) == int(victim.read_text()):
        victim.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(config.seconds * (0.5 + int(config.n) % 4 / 2 if config.unequal else 1))
    with Path(config.place, "times.txt").open("a") as stream:
        print(json.dumps([int(config.n), start, time.time()]), file=stream)
    return float(config.n)

main()
"""
CONFIG = """
n: 0
seconds: 1
unequal: false
place: .
hydra: {{sweep: {{dir: sweep, subdir: "${{hydra:job.num}}"}}}}
"""


def command(directory: Path, python: str, *overrides: str) -> tuple[int, float, list[list[float]]]:
    """Give the command; returns its exit code, its seconds, and number, start and end of each run that ended."""
    times = directory / "times.txt"
    times.unlink(missing_ok=True)
    began = time.perf_counter()
    words = [python, "app.py", "-m", f"place={directory}", *overrides]
    # Another interpreter has packages of its own.
    environ = {key: value for key, value in os.environ.items() if python == sys.executable or key != "PYTHONPATH"}
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, env=environ)
    lines = times.read_text().splitlines() if times.exists() else []
    if done.returncode != 0 and not lines:
        print("\n".join((done.stdout + done.stderr).splitlines()[-3:]))
    return done.returncode, time.perf_counter() - began, [json.loads(line) for line in lines]


def app(directory: Path) -> None:
    """Write the app into a directory of its own."""
    directory.mkdir(parents=True)
    (directory / "app.py").write_text(APP.replace("config_path=None", 'config_path="."'))
    (directory / "config.yaml").write_text(CONFIG.format())


def launchers(root: Path, seconds: float) -> None:
    """Print a row for each launcher."""
    several = {"joblib": ["hydra.launcher.n_jobs=2"], "supervised": ["hydra.launcher.n_jobs=2"]}
    names = ["basic", "joblib", "supervised"]
    if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is not None:
        names.insert(2, "submitit_local")
    print(f"{RUNS} runs of {seconds:g} s; `kill -9` of one, then the same command again")
    for name in names:
        directory = root / name
        app(directory)
        overrides = [f"hydra/launcher={name}", *several.get(name, []), f"n=range({RUNS})", f"seconds={seconds}"]
        _, took, _ = command(directory, sys.executable, *overrides, "hydra.sweep.dir=undisturbed")
        (directory / "victim").write_text(str(VICTIM))
        first_code, _, first = command(directory, sys.executable, *overrides)
        second_code, _, second = command(directory, sys.executable, *overrides)
        print(
            f"{name}: undisturbed {took:.1f} s; ended with a killed one {len(first)} (exit code {first_code}); "
            f"done by the same command again {len(second)} (exit code {second_code})"
        )


def searches(root: Path, seconds: float, other: str | None) -> None:
    """Print a row for each search."""
    params = ["n=choice(0,1,2,3,4,5,6,7)", "unequal=true", f"seconds={seconds}", "hydra/sweeper=optuna"]
    params += [f"hydra.sweeper.n_trials={RUNS}", "hydra.sweeper.n_jobs=2", "hydra/sweeper/sampler=grid"]
    ways = {"optuna, supervised": (sys.executable, ["hydra/launcher=supervised", "hydra.launcher.n_jobs=2"])}
    if other is not None:
        storage = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.storage=sqlite:///study.db"]
        ways["hydra-optuna-sweeper, joblib"] = (other, [*storage, "hydra.sweeper.study_name=study"])
    for name, (python, overrides) in ways.items():
        directory = root / name.partition(",")[0]
        app(directory)
        _, took, undisturbed = command(directory, python, *params, *overrides, *_other_study("undisturbed", python))
        (directory / "victim").write_text(str(VICTIM))
        first_code, _, first = command(directory, python, *params, *overrides)
        second_code, _, second = command(directory, python, *params, *overrides)
        print(
            f"{name}: {len(undisturbed)} runs in {took:.1f} s, {idle(undisturbed):.0f} % of two workers' time idle; "
            f"with a killed one {len(first)} runs (exit code {first_code}); by the same command again {len(second)} "
            f"(exit code {second_code})"
        )


def _other_study(name: str, python: str) -> list[str]:
    storage = [] if python == sys.executable else [f"hydra.sweeper.storage=sqlite:///{name}.db"]
    return [f"hydra.sweep.dir={name}", *storage]


def idle(spans: Sequence[Sequence[float]]) -> float:
    """The share in percent of two workers' time, up to the start of the last run, in which none is under way."""
    if len(spans) < 2:
        return float("nan")
    first, last = min(start for _, start, _ in spans), max(start for _, start, _ in spans)
    busy = sum(max(min(end, last) - start, 0) for _, start, end in spans)
    return 100 * (1 - busy / (2 * (last - first)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--optuna-sweeper", metavar="PYTHON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        launchers(Path(temporary) / "launchers", given.seconds)
        searches(Path(temporary) / "searches", given.seconds, given.optuna_sweeper)


if __name__ == "__main__":
    main()

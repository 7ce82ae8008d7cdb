"""Seconds and memory of a plan, and of a command that finds that all of its runs are done.

    python benchmarks/resume.py [--runs 10000] [--plan 100000] [--keep DIR]

The plan: `python train.py -m 'seed=range(N / 5)' batch_size=32,64,128,256,512 dry_run=true`; at most 120 s and 1 GB for
100,000 runs are wanted. The resume: the same command without dry_run, where every run has completed, with the metrics
of a real run (the directories are made here; no model is trained); at most 15 s for 10,000 are wanted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZES = (32, 64, 128, 256, 512)

MAKE = """
import shutil
import sys
import ddrsa.sweep.sweeper as sweeper
from ddrsa.rundir.directory import RunDirectory
from ddrsa.sweep.supervise.record import SweepRecord
from ddrsa.rundir.states import State
from pathlib import Path

curve = [[k, 1 - k / 130, 0.01 * k] for k in range(128)]
policies = {name: {"curve": curve, "miss_rate": 0.05} for name in ("oti", "time_to_event", "failure_probability")}
metrics = {"rul_mae": 3.2, "rul_rmse": 4.4, "nasa_score": 120.5, "concordance_index": 0.98, "calibration_curve": curve,
    "training_time_seconds": 40.0, "n_parameters": 2705, "epochs_run": 30, "best_epoch": 12, "policies": policies,
    "oti": [{"cost": 2**k, "miss_rate": 0.1, "mean_time_to_event": 9.5} for k in range(10)],
    "validation": {"nll": 2.5, "rul_mae": 3.3, "curve": curve, "policies": policies},
    "comparison": {"dataset": "simulated", "evaluation_horizon": 128}}
original = sweeper.plan_runs
written = {}

def plan_runs(*arguments, **keywords):
    runs = original(*arguments, **keywords)
    for run in runs:
        directory = RunDirectory(run.directory)
        (run.directory / ".hydra").mkdir(parents=True, exist_ok=True)
        directory.begin(run.identity, launcher="supervised")
        first = written.setdefault(run.number % 7, directory)
        if first is directory:
            directory.write_test_metrics({**metrics, "rul_mae": 3 + run.number % 7})
        else:
            shutil.copyfile(first.test_metrics, directory.test_metrics)
        directory.end(State.COMPLETED, epoch=30, num_epochs=30, return_value=2.5)
    print(len(runs), "directories", file=sys.stderr)
    sys.exit(0)

sweeper.plan_runs = plan_runs
import os
os.fsync = lambda descriptor: None  # made up, they need not outlive the machine
from ddrsa.commands.train import main
main()
"""


def main() -> None:
    """Measure, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="completed runs to resume; 0 for none")
    parser.add_argument("--plan", type=int, default=100_000, help="runs to plan; 0 for none")
    parser.add_argument("--keep", type=Path, help="make the completed runs here, or take those that are there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.plan:
            _measure("plan", arguments.plan, Path(temporary) / "plan", "dry_run=true")
        if arguments.runs:
            directory = arguments.keep or Path(temporary) / "resume"
            if not directory.exists():
                _run([sys.executable, "-c", MAKE, *_overrides(arguments.runs, directory)])
            _measure("resume, first", arguments.runs, directory)
            _measure("resume, again", arguments.runs, directory)


def _overrides(runs: int, directory: Path) -> list[str]:
    sizes = ",".join(map(str, SIZES))
    return ["-m", f"seed=range({runs // len(SIZES)})", f"batch_size={sizes}", f"hydra.sweep.dir={directory}"]


def _measure(name: str, runs: int, directory: Path, *more: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, str(ROOT / "train.py"), *_overrides(runs, directory), *more]
    output = _run([sys.executable, "-c", PEAK, json.dumps(command)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = time.perf_counter() - start
    print(
        f"{name} of {runs}: {seconds:.1f} s ({processor:.1f} s of processor time), {output.splitlines()[-1]}",
        flush=True,
    )


# The peak of the one command, and not of all children of the benchmark.
PEAK = """
import json, resource, subprocess, sys
code = subprocess.run(json.loads(sys.argv[1]), stdout=subprocess.DEVNULL).returncode
print(f"peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")
sys.exit(code)
"""


def _run(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE, env=environment).stdout


if __name__ == "__main__":
    main()

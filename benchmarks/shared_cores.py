"""Seconds of runs that have the machine's cores to themselves, and of two at once that share them.

    python benchmarks/shared_cores.py [MODEL ...]

Each run takes as many threads as there are cores, as single runs do, so two at once have twice as many threads as
cores; two sweeps of two people on one machine are like that. In turn, with the wait of GNU's OpenMP as it comes
(300,000 spins) and as the project sets it, three times; the median is printed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAITS = {"as OpenMP comes": "300000", "as set here": "1000"}
ROUNDS = 3
EPOCHS = {"transformer": 1, "probsparse": 1}


def seconds(model: str, spins: str, runs: int, directory: Path) -> float:
    """Of `runs` runs of one model at once."""
    options = [
        f"model={model}",
        f"num_epochs={EPOCHS.get(model, 4)}",
        "dataset.num_units=40",
        "lookback=16",
        "device=cpu",
    ]
    environ = {**os.environ, "GOMP_SPINCOUNT": spins}
    start = time.perf_counter()
    started = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *options, f"seed={seed}", f"hydra.sweep.dir={start}-{seed}"],
            cwd=directory,
            env=environ,
            stdout=subprocess.DEVNULL,
        )
        for seed in range(runs)
    ]
    exit_codes = [run.wait() for run in started]
    if any(exit_codes):
        raise SystemExit("a run failed")
    return time.perf_counter() - start


def main(models: list[str]) -> None:
    """Print the medians."""
    with tempfile.TemporaryDirectory() as name:
        seconds(models[0], WAITS["as set here"], 1, Path(name))  # fills the cache of data
        for model in models:
            found = {(wait, runs): [] for wait in WAITS for runs in (1, 2)}
            for _ in range(ROUNDS):
                for (wait, runs), times in found.items():
                    times.append(seconds(model, WAITS[wait], runs, Path(name)))
            for (wait, runs), times in found.items():
                each = ", ".join(f"{time:.1f}" for time in times)
                print(f"{model:12} {wait:16} {runs} at once  {statistics.median(times):6.1f} s ({each})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["lstm", "gru"])

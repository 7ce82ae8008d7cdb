"""How much faster a sweep of eight equal LSTM runs is with two runs at once than with one.

    python benchmarks/sweep_efficiency.py [EPOCHS]

EPOCHS (20) sets how long a run takes. Each run has one thread in both sweeps, so that the two differ in nothing else.
The time is that of the whole command, with the import of torch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 8
TRAIN = Path(__file__).parents[1] / "train.py"


def seconds(directory: Path, n_jobs: int, epochs: int) -> float:
    arguments = [
        "model=lstm",
        f"seed={','.join(map(str, range(RUNS)))}",
        f"num_epochs={epochs}",
        "patience=0",
        "device=cpu",
        f"hydra.launcher.n_jobs={n_jobs}",
        f"hydra.sweep.dir=jobs{n_jobs}",
    ]
    environ = {**os.environ, "DDRSA_CACHE_DIR": str(directory / "cache"), "LOKY_MAX_CPU_COUNT": str(n_jobs)}
    start = time.perf_counter()
    subprocess.run([sys.executable, str(TRAIN), "-m", *arguments], cwd=directory, env=environ, check=True)
    elapsed = time.perf_counter() - start
    counts = json.loads((directory / f"jobs{n_jobs}" / "all_results.json").read_text())["counts"]
    if counts != {"completed": RUNS}:
        raise SystemExit(f"n_jobs={n_jobs} ended with {counts}")
    return elapsed


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        seconds_of = {n_jobs: seconds(directory, n_jobs, epochs) for n_jobs in (1, 2)}
    for n_jobs, value in seconds_of.items():
        print(f"n_jobs={n_jobs}: {value:.1f} s for {RUNS} runs")
    print(f"speed-up {seconds_of[1] / seconds_of[2]:.2f}")


if __name__ == "__main__":
    main()

"""Seconds that one more trivial job costs, by Hydra's basic launcher, the stock joblib launcher and this one.

    python benchmarks/launcher_overhead.py

Each launcher does 1 job and 64 jobs with n_jobs=2 (the basic launcher does one after another), in turn, three times;
the difference, divided by 63, is what a job costs when all is started up. The median is printed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOBS = 64
ROUNDS = 1
LAUNCHERS = {
    "basic": ["hydra/launcher=basic"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "supervised": ["hydra/launcher=supervised", "hydra.launcher.n_jobs=2"],
}
APPLICATION = """
import hydra
from ddrsa.sweep.plugins import register

register()

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    return config.x

if __name__ == "__main__":
    main()
"""


def seconds(directory: Path, launcher: str, jobs: int, name: str) -> float:
    values = ",".join(map(str, range(jobs)))
    arguments = [f"x={values}", f"hydra.sweep.dir={name}", "hydra/sweeper=checked", *LAUNCHERS[launcher]]
    command = [sys.executable, "application.py", "-m", *arguments]
    start = time.perf_counter()
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    elapsed = time.perf_counter() - start
    done = len(list((directory / name).glob("*/.hydra")))
    if done != jobs:
        raise SystemExit(f"{launcher} did {done} of {jobs} jobs")
    return elapsed


def main() -> None:
    per_job: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        (directory / "application.py").write_text(APPLICATION)
        (directory / "config.yaml").write_text("x: 0\n")
        for number in range(ROUNDS):
            for launcher in LAUNCHERS:
                one, all_jobs = (seconds(directory, launcher, n, f"{launcher}-{number}-{n}") for n in (1, JOBS))
                per_job[launcher].append((all_jobs - one) / (JOBS - 1))
    median = {launcher: statistics.median(values) for launcher, values in per_job.items()}
    for launcher, value in median.items():
        shown = ", ".join(f"{seconds:.3f}" for seconds in per_job[launcher])
        print(f"{launcher:12} {value:.3f} s per extra job ({shown})")
    print(f"supervised takes {median['supervised'] / median['joblib']:.2f} of joblib's time")


if __name__ == "__main__":
    main()

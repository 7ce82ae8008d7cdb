"""Seconds that one more trivial job costs, by Hydra's basic launcher, the stock joblib launcher and this one.

    python benchmarks/launcher_overhead.py

Each launcher does 1 job and 64 jobs with n_jobs=2 (the basic launcher does one after another), in turn, three times;
the difference, divided by 63, is what a job costs when all is started up. The median is printed, of the launcher alone
(from the first job that it gets to the last result) and of the whole command, in which the sweeper also composes and
checks each job's config, the same for all launchers.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JOBS = 64
ROUNDS = 3
LAUNCHERS = {
    "basic": ["hydra/launcher=basic"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "supervised": ["hydra/launcher=supervised", "hydra.launcher.n_jobs=2"],
}
APPLICATION = """
import time
from pathlib import Path

import hydra
from ddrsa.compat_hydra import VERSION_BASE
from hydra.core.plugins import Plugins

instantiate = Plugins.instance().instantiate_launcher

def timed(**arguments):
    launcher = instantiate(**arguments)
    launch = launcher.launch

    def timed_launch(*arguments, **keywords):
        start = time.perf_counter()
        returns = launch(*arguments, **keywords)
        Path("launch.txt").write_text(str(time.perf_counter() - start))
        return returns

    launcher.launch = timed_launch
    return launcher

Plugins.instance().instantiate_launcher = timed

@hydra.main(config_path=".", config_name="config", **VERSION_BASE)
def main(config):
    return config.x

if __name__ == "__main__":
    main()
"""


def seconds(directory: Path, launcher: str, jobs: int, name: str) -> tuple[float, float]:
    """Of the launcher, and of the whole command."""
    values = ",".join(map(str, range(jobs)))
    arguments = [f"x={values}", f"hydra.sweep.dir={name}", "hydra/sweeper=checked", *LAUNCHERS[launcher]]
    command = [sys.executable, "application.py", "-m", *arguments]
    start = time.perf_counter()
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    elapsed = time.perf_counter() - start
    done = len(list((directory / name).glob("*/.hydra")))
    if done != jobs:
        raise SystemExit(f"{launcher} did {done} of {jobs} jobs")
    return float((directory / "launch.txt").read_text()), elapsed


def main() -> None:
    per_job: dict[str, list[tuple[float, float]]] = {launcher: [] for launcher in LAUNCHERS}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        (directory / "application.py").write_text(APPLICATION)
        (directory / "config.yaml").write_text("x: 0\n")
        for number in range(ROUNDS):
            for launcher in LAUNCHERS:
                one, many = (seconds(directory, launcher, n, f"{launcher}-{number}-{n}") for n in (1, JOBS))
                per_job[launcher].append(((many[0] - one[0]) / (JOBS - 1), (many[1] - one[1]) / (JOBS - 1)))
    for part, name in enumerate(("the launcher", "the whole command")):
        median = {launcher: statistics.median(pair[part] for pair in pairs) for launcher, pairs in per_job.items()}
        print(f"seconds per extra job, {name}:")
        for launcher, pairs in per_job.items():
            print(f"  {launcher:12} {median[launcher]:.3f} ({', '.join(f'{pair[part]:.3f}' for pair in pairs)})")
        print(f"  supervised takes {median['supervised'] / median['joblib']:.2f} of joblib's time")


if __name__ == "__main__":
    main()

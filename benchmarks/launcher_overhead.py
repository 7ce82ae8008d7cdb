"""Seconds that one more trivial job costs, by Hydra's basic launcher, the stock joblib launcher and this one.

    python benchmarks/launcher_overhead.py [--jobs 64] [--rounds 3] [--launchers basic joblib supervised]
    python benchmarks/launcher_overhead.py --many 10000

Each launcher does 1 job and 64 jobs with n_jobs=2 (the basic launcher does one after another), in turn, three times;
the difference, divided by 63, is what a job costs when all is started up. The median is printed, of the launcher alone
(from the first job that it gets to the last result) and of the whole command, in which the sweeper also composes and
checks each job's config, the same for all launchers, by the clock; and of the whole command in processor time, of all
of its processes, which counts where others use the machine too.

--many: one sweep of so many jobs by the supervised launcher; at most 5 minutes for 10,000 on 2 cores are wanted. The
launcher's memory is printed as they end.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

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
    name = "launch_runs" if hasattr(launcher, "launch_runs") else "launch"  # as the checked sweeper calls it
    launch = getattr(launcher, name)

    def timed_launch(*arguments, **keywords):
        start = time.perf_counter()
        returns = launch(*arguments, **keywords)
        Path("launch.txt").write_text(str(time.perf_counter() - start))
        return returns

    setattr(launcher, name, timed_launch)
    return launcher

Plugins.instance().instantiate_launcher = timed

@hydra.main(config_path=".", config_name="config", **VERSION_BASE)
def main(config):
    return config.x

if __name__ == "__main__":
    main()
"""


PARTS = ("the launcher", "the whole command", "the whole command, processor time")


def seconds(directory: Path, launcher: str, jobs: int, name: str) -> tuple[float, float, float]:
    """Of each of PARTS."""
    values = ",".join(map(str, range(jobs)))
    arguments = [f"x={values}", f"hydra.sweep.dir={name}", "hydra/sweeper=checked", *LAUNCHERS[launcher]]
    command = [sys.executable, "application.py", "-m", *arguments]
    (directory / "launch.txt").unlink(missing_ok=True)
    start, before = time.perf_counter(), processor_time()
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    elapsed, processor = time.perf_counter() - start, processor_time() - before
    done = len(list((directory / name).glob("*/.hydra")))
    if done != jobs:
        raise SystemExit(f"{launcher} did {done} of {jobs} jobs")
    return float((directory / "launch.txt").read_text()), elapsed, processor


def processor_time() -> float:
    """Of the commands that have ended, with all of their processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def many(directory: Path, jobs: int) -> None:
    """One sweep of `jobs` jobs, and the launcher's memory when so many have ended."""
    arguments = [f"x=range({jobs})", "hydra.sweep.dir=many", "hydra/sweeper=checked", *LAUNCHERS["supervised"]]
    start = time.perf_counter()
    with (directory / "output.txt").open("w") as output:
        process = subprocess.Popen([sys.executable, "application.py", "-m", *arguments], cwd=directory, stdout=output)
        measured = threading.Event()

        def watch() -> None:
            launcher, shown = psutil.Process(process.pid), 0
            while not measured.wait(1):
                lines = (directory / "output.txt").read_text().count("completed after")
                if lines >= shown:
                    memory = launcher.memory_info().rss / 2**20
                    print(f"  {lines} ended after {time.perf_counter() - start:.0f} s, {memory:.0f} MB", flush=True)
                    shown = lines + jobs // 10

        thread = threading.Thread(target=watch)
        thread.start()
        code = process.wait()
        measured.set()
        thread.join()
    done = len(list((directory / "many").glob("*/.hydra")))
    if code or done != jobs:
        raise SystemExit(f"{done} of {jobs} jobs were done")
    elapsed, processor = time.perf_counter() - start, processor_time()
    print(f"{jobs} jobs: {elapsed:.0f} s, {processor:.0f} s of processor time, {1000 * processor / jobs:.1f} ms each")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--launchers", nargs="+", default=list(LAUNCHERS), choices=LAUNCHERS)
    parser.add_argument("--many", type=int, default=0, help="one sweep of so many jobs, and nothing else")
    arguments = parser.parse_args()
    per_job: dict[str, list[list[float]]] = {launcher: [] for launcher in arguments.launchers}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        (directory / "application.py").write_text(APPLICATION)
        (directory / "config.yaml").write_text("x: 0\n")
        if arguments.many:
            many(directory, arguments.many)
            return
        for number in range(arguments.rounds):
            for launcher, taken in per_job.items():
                counts = (1, arguments.jobs)
                one, all_of_them = (seconds(directory, launcher, n, f"{launcher}-{number}-{n}") for n in counts)
                taken.append([(b - a) / (arguments.jobs - 1) for a, b in zip(one, all_of_them, strict=True)])
    for part, name in enumerate(PARTS):
        median = {launcher: statistics.median(each[part] for each in taken) for launcher, taken in per_job.items()}
        print(f"seconds per extra job, {name}:")
        for launcher, taken in per_job.items():
            print(f"  {launcher:12} {median[launcher]:.3f} ({', '.join(f'{each[part]:.3f}' for each in taken)})")
        if {"joblib", "supervised"} <= median.keys():
            print(f"  supervised takes {median['supervised'] / median['joblib']:.2f} of joblib's time")


if __name__ == "__main__":
    main()

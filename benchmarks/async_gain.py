"""How much of the time two workers stand idle while trials of unequal length are left.

    python benchmarks/async_gain.py [TRIALS] [SECONDS]

TRIALS (16) trials sleep between 0.2 and 1.8 times SECONDS (5), the same ones in each search, with two at once: under
the supervised launcher, which starts a trial as soon as one ends, and under the stock joblib launcher, which waits for
both trials of a batch. Idle is the share of the two workers' time in which no task runs, from the first start of a task
until the first moment at which no trial is left to start: after that a worker has nothing to do in any search.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

WORKERS = 2

CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: optuna}, _self_]
x: 0.0
seconds: 5
hydra:
  sweep: {dir: sweep, subdir: "${hydra:job.num}"}
  launcher: {n_jobs: 2}
  sweeper:
    n_jobs: 2
    sampler: {seed: 1}
    params: {x: "interval(0.2,1.8)"}
"""

APP = """
import json, time
from pathlib import Path
import hydra
from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE

@hydra.main(config_path=".", config_name="config", **VERSION_BASE)
def main(config):
    start = time.time()
    time.sleep(config.x * config.seconds)
    with Path("times.txt").open("a") as stream:
        print(json.dumps([start, time.time()]), file=stream)
    return config.x

if __name__ == "__main__":
    run_cli(main)
"""


def idle(directory: Path, launcher: str, trials: int, seconds: float) -> tuple[float, float]:
    """Returns the idle share, and the seconds from the first start to the last end."""
    directory.mkdir()
    (directory / "config.yaml").write_text(CONFIG)
    (directory / "app.py").write_text(APP)
    overrides = [f"hydra/launcher={launcher}", f"hydra.sweeper.n_trials={trials}", f"seconds={seconds}"]
    subprocess.run([sys.executable, "app.py", "-m", *overrides], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    spans = sorted(json.loads(line) for line in (directory / "times.txt").read_text().splitlines())
    if len(spans) != trials:
        raise SystemExit(f"{launcher}: {len(spans)} of {trials} trials have run")
    # The last trial has started: until then each worker should have been at work.
    first, last = spans[0][0], spans[-1][0]
    busy = sum(min(end, last) - start for start, end in spans)
    return 1 - busy / (WORKERS * (last - first)), max(end for _, end in spans) - first


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    with tempfile.TemporaryDirectory() as temporary:
        for launcher, kind in (("supervised", "asynchronous"), ("joblib", "batches")):
            share, took = idle(Path(temporary) / launcher, launcher, trials, seconds)
            print(f"{kind} ({launcher}): idle {100 * share:.1f} % of the time, {took:.1f} s for {trials} trials")


if __name__ == "__main__":
    main()

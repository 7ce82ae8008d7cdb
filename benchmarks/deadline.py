"""Recorded sweeps replayed with a deadline: how well the predicted durations keep it.

    python benchmarks/deadline.py                   # 20 replays of deadline_runs.json, beside this script
    python benchmarks/deadline.py --record DIR      # write that file from a sweep that has completed

The file has the 33 that had completed of 36 runs of

    python train.py -m model=gru,lstm,tcn,transformer batch_size=32,64,128 seed=0,1,2 kernel=torch device=cpu \
        dataset.num_units=12 lookback=16 horizon=32 num_epochs=10 patience=4 hydra.launcher.n_jobs=2 hydra.sweep.dir=DIR

with the seconds of each epoch, and of what came before the first and after the last. A replay has other runs (drawn
with replacement, the seed of each another value), another number at once, and a deadline by which 30 to 90 % of the
work can be done. Its decisions are those of `ddrsa.sweep.supervise.time_plan`, its clock is a number. It knows no run
before.
"""

from __future__ import annotations

import argparse
import heapq
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.sweep.supervise.time_plan import Described, TimePlan

FILE = Path(__file__).with_name("deadline_runs.json")
LOOK_SECONDS = 1.0


@dataclass
class Recorded:
    """model, batch_size: of the run. epochs: seconds of each. before, after: of the first and the last."""

    model: str
    batch_size: str
    before: float
    epochs: list[float]
    after: float
    num_epochs: int = 10

    @property
    def seconds(self) -> float:
        return self.before + sum(self.epochs) + self.after


@dataclass
class Replay:
    """What a replay ended with: when the last run ended; the runs that completed, were cut, and did not start."""

    end: float = 0.0
    completed: int = 0
    cut: int = 0
    left: int = 0
    epoch: float = 0.0  # the longest of the run that ended last
    foretold: float | None = None  # when half of the time was over, when all would end


def replay(runs: list[Recorded], n_jobs: int, deadline: float, *, asked: bool = True) -> Replay:
    """asked: the runs look after each epoch whether they shall end; else they are ended at the deadline."""
    clock = 0.0
    plan = TimePlan(lambda: deadline - clock)
    described = [Described(run.model, {"batch_size": run.batch_size, "seed": str(at)}) for at, run in enumerate(runs)]
    waiting, result = list(range(len(runs))), Replay()
    started: dict[int, float] = {}
    ends_at: dict[int, tuple[float, bool]] = {}  # when it ends, and whether it is whole
    while True:
        while len(started) < n_jobs and waiting:
            place = plan.next([described[number] for number in waiting])
            if place is None:
                break
            number = waiting.pop(place)
            started[number], ends_at[number] = clock, (clock + runs[number].seconds, True)
            plan.began(number, described[number], clock)
        if not started:
            break
        clock += min(LOOK_SECONDS, max(min(end for end, _ in ends_at.values()) - clock, 1e-6))
        for number, begin in list(started.items()):
            run, (end, whole) = runs[number], ends_at[number]
            epochs = np.cumsum([begin + run.before, *run.epochs])[1:]
            done = int((epochs <= clock).sum())
            if done:
                plan.epoch(number, done, run.num_epochs, clock)
            if clock >= end:
                plan.ended(number, clock, whole=whole)
                if end > result.end:
                    result.end, result.epoch = end, max(run.epochs)
                result.completed, result.cut = result.completed + whole, result.cut + (not whole)
                del started[number], ends_at[number]
        for number in plan.to_ask(clock):
            run, begin = runs[number], started[number]
            epochs = np.cumsum([begin + run.before, *run.epochs])[1:]
            later = epochs[epochs > clock]
            if asked and len(later) > 1:
                ends_at[number] = (float(later[0]) + run.after, False)
        for number in plan.overdue(clock, lambda _: asked):
            plan.end(number, clock)
            ends_at[number] = (clock, False)
        if result.foretold is None and clock >= deadline / 2:
            outlook = plan.outlook([described[number] for number in waiting], n_jobs, clock)
            result.foretold = None if outlook is None else clock + outlook[0]
    result.left = len(waiting)
    return result


def in_order(runs: list[Recorded], n_jobs: int, deadline: float) -> tuple[int, float]:
    """Without a plan: runs in their order until the deadline. Those that completed by then, and when the last ends."""
    free, completed, end = [0.0] * n_jobs, 0, 0.0
    for run in runs:
        begin = heapq.heappop(free)
        if begin >= deadline:
            break
        heapq.heappush(free, begin + run.seconds)
        completed += begin + run.seconds <= deadline
        end = max(end, begin + run.seconds)
    return completed, end


def record(sweep_dir: Path) -> None:
    """Write the file from a sweep."""
    import ddrsa

    found = []
    for run in ddrsa.read_sweep(sweep_dir).to_dict("records"):
        if run["state"] != "completed":
            print(f"left out: {run['directory']} is {run['state']}")
            continue
        directory = Path(run["directory"])
        epochs = pd.read_csv(directory / "training_log.csv")["seconds"].tolist()
        status = json.loads((directory / "status.json").read_text())
        rest = status["seconds"] - sum(epochs)
        evaluated = [
            float(line.split("evaluated in ")[1].split()[0])
            for line in (directory / "run.log").read_text().splitlines()
            if "evaluated in " in line
        ]
        after = min(evaluated[-1], rest) if evaluated else 0.0
        found.append([run["model"], str(run["batch_size"]), round(rest - after, 2), epochs, after])
    FILE.write_text("[\n" + ",\n".join(json.dumps(each) for each in found) + "\n]\n")
    print(f"{len(found)} runs in {FILE.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, help="the directory of a sweep")
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.record is not None:
        record(arguments.record)
        return
    recorded = [Recorded(*each) for each in json.loads(FILE.read_text())]
    seconds = np.array([run.seconds for run in recorded])
    print(f"{len(recorded)} recorded runs of {seconds.min():.0f} to {seconds.max():.0f} s\n")
    random = np.random.default_rng(arguments.seed)
    print("| runs | at once | deadline | ends | of it | of an epoch after | completed | cut | not started | "
          "foretold at half time | without a plan: completed, ends |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    early, late = [], []
    for _ in range(arguments.replays):
        n_jobs = int(random.choice([1, 2, 4]))
        runs = [recorded[number] for number in random.integers(0, len(recorded), 40 * n_jobs)]
        deadline = float(random.uniform(0.3, 0.9)) * sum(run.seconds for run in runs) / n_jobs
        found = replay(runs, n_jobs, deadline)
        plain = in_order(runs, n_jobs, deadline)
        after = max(found.end - deadline, 0.0)
        share = after / found.epoch
        early.append(1 - found.end / deadline)
        late.append(share)
        foretold = "unknown" if found.foretold is None else f"{found.foretold:.0f} s"
        print(
            f"| {len(runs)} | {n_jobs} | {deadline:.0f} s | {found.end:.0f} s | {found.end / deadline:.1%} "
            f"| {share:.2f} | {found.completed} | {found.cut} | {found.left} | {foretold} "
            f"| {plain[0]}, {plain[1]:.0f} s |"
        )
    print(f"\nat most {max(early):.1%} before the deadline, at most {max(late):.2f} of an epoch after it")


if __name__ == "__main__":
    main()

"""Is the promise of a policy kept? Over many simulated fleets, how often is the true miss rate above what was promised?

python benchmarks/policy_guarantee.py [--fleets 1000] [--engines 2000] [--epochs 8]

A small model is trained on one simulated fleet. Its forecasts for thousands of other engines, of which it has seen
none, are the world: each fleet is a number of engines drawn from it at random, with replacement, and tunes a threshold.
The true miss rate of that threshold is its miss rate on the whole world, so it is known exactly. Beside the promise
stands the threshold that misses no more than that share of the fleet itself, which promises nothing.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.load import load_dataset
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.windows import Windows
from ddrsa.evaluation.forecasts import forecast_rows
from ddrsa.models.build import build_model
from ddrsa.models.options import TemporalConvolutionOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.policy import critical_cost
from ddrsa.survival.policy_options import Guarantee
from ddrsa.survival.promise import promise
from ddrsa.survival.trade_off import TradeOff, trade_off
from ddrsa.training.options import TrainingOptions
from ddrsa.training.trainer import train

Floats = NDArray[np.float64]
LOOKBACK, HORIZON = 64, 96
TRAINING_ENGINES = 100
SIZES = (30, 45, 60, 100, 200)
PROMISES = (Guarantee(0.05, 0.9), Guarantee(0.1, 0.9), Guarantee(0.05, 0.95))


def world(engines: int, epochs: int) -> list[tuple[Floats, Floats]]:
    """The critical cost of each forecast of each engine, and its time to event, at the rows that set a new record."""
    data = load_dataset({"name": "simulated", "num_units": TRAINING_ENGINES}, data_dir=".", cache_dir=None, seed=0)
    torch.manual_seed(0)
    model = build_model(
        TemporalConvolutionOptions("tcn", 32, 4),
        num_features=len(data.training.feature_names),
        lookback=LOOKBACK,
        horizon=HORIZON,
        dropout=0.1,
    )
    options = TrainingOptions(128, 0.003, 0.75, 0.0, epochs, 0, 1e-4, 1.0, "cosine", 1.0, 0, loss="likelihood")
    with tempfile.TemporaryDirectory() as directory:
        run = TrainingDirectory(Path(directory))
        parts = (Windows(part, LOOKBACK) for part in (data.training, data.validation))
        train(model, *parts, options, run, {}, lambda _: False)
    everything = simulate_fleet(SimulatedOptions(num_units=TRAINING_ENGINES + engines)).sequences()
    new = data.scaler.apply(everything.select_units(np.arange(TRAINING_ENGINES + 1, TRAINING_ENGINES + engines + 1)))
    score = critical_cost(forecast_rows(model, new, LOOKBACK, torch.device("cpu"))).numpy()
    lives = []
    for start, end in zip(new.starts, np.append(new.starts[1:], new.num_rows), strict=True):
        cost, tau = score[start:end], new.time_to_event[start:end].astype(np.float64)
        record = (cost < np.append(np.inf, np.minimum.accumulate(cost)[:-1])) & (tau >= 1)
        lives.append((cost[record], tau[record]))
    return lives


def played(lives: list[tuple[Floats, Floats]], chosen: NDArray[np.int64]) -> TradeOff:
    """The trade-off of the engines `chosen`, the same one as often as it was drawn."""
    unit = np.repeat(np.arange(len(chosen)), [len(lives[index][0]) for index in chosen])
    cost, tau = (np.concatenate([lives[index][k] for index in chosen]) for k in (0, 1))
    return trade_off(cost, unit, tau, "below")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fleets", type=int, default=1000)
    parser.add_argument("--engines", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    logging.disable()
    torch.set_num_threads(1)
    start = time.perf_counter()
    lives = world(arguments.engines, arguments.epochs)
    truth = played(lives, np.arange(len(lives)))
    seconds = time.perf_counter() - start
    print(f"{len(lives)} engines, forecast in {seconds:.0f} s; {arguments.fleets} fleets of each size")
    generator = np.random.default_rng(0)
    for asked in PROMISES:
        best = truth.best(asked.miss_rate)
        print(
            f"\nno more than {asked.miss_rate:.0%} missed, with confidence {asked.confidence:.0%}; "
            f"with the whole world known, {best.mean_time_to_event:.1f} cycles are given up"
            if best is not None
            else "\nno threshold"
        )
        print("| units | promised, at most | broken | true miss rate | given up | tuned alone: above | given up |")
        print("|---|---|---|---|---|---|---|")
        for size in SIZES:
            rows = []
            for _ in range(arguments.fleets):
                fleet = played(lives, generator.integers(len(lives), size=size))
                found, alone = promise(fleet, asked), fleet.best(asked.miss_rate)
                assert found.threshold is not None
                assert alone is not None
                kept, other = truth.at(found.threshold), truth.at(alone.threshold)
                rows.append(
                    [
                        found.miss_rate,
                        kept.miss_rate > found.miss_rate,
                        kept.miss_rate,
                        kept.mean_time_to_event or 0,
                        other.miss_rate > asked.miss_rate,
                        other.mean_time_to_event or 0,
                    ]
                )
            promised, broken, missed, given, above, given_alone = np.mean(np.array(rows, float), axis=0)
            print(
                f"| {size} | {promised:.1%} | {broken:.1%} | {missed:.1%} | {given:.1f} | {above:.1%} | "
                f"{given_alone:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""What does calibration=fitted cost beside an epoch of training?

The LSTM with the default hyperparameters on the simulated fleet and on FD001, one thread: processor time, the fastest
of five, of one epoch, of the forecast of the validation windows after it, and of its six fits with the forecasts out of
fold.

    DDRSA_DATA_DIR=... python benchmarks/calibration_cost.py [--data simulated FD001]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import torch

from ddrsa.data.load import load_dataset
from ddrsa.data.windows import Windows
from ddrsa.models.build import build_model
from ddrsa.models.forecast import forecast_windows
from ddrsa.models.options import RecurrentOptions
from ddrsa.training.calibrate import calibrate
from ddrsa.training.denormals import flushed_denormals
from ddrsa.training.optimizer import AdamW
from ddrsa.training.options import TrainingOptions
from ddrsa.training.schedule import Schedule
from ddrsa.training.trainer import train_epoch

LOOKBACK, HORIZON = 64, 128
REPEATS = 5
DATA = {"simulated": {"name": "simulated"}, "FD001": {"name": "turbofan", "subset": "FD001"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    torch.set_num_threads(1)
    for name in parser.parse_args().data:
        with flushed_denormals():
            measure(name)


def measure(name: str) -> None:
    data = load_dataset(DATA[name], data_dir=os.environ.get("DDRSA_DATA_DIR", "data"), cache_dir=None, seed=0)
    training, validation = (Windows(part, LOOKBACK) for part in (data.training, data.validation))
    torch.manual_seed(0)
    model = build_model(
        RecurrentOptions("lstm", 16, 1), num_features=training.num_features, lookback=LOOKBACK, horizon=HORIZON,
        dropout=0.1,
    )  # fmt: skip
    options = TrainingOptions(128, 0.003, 0.75, 0.0, 30, 10, 1e-4, 1.0, "cosine", 1.0, seed=0)
    optimizer = AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True)
    schedule = Schedule(optimizer, "cosine", 10, 10_000, 10)
    epoch = least(lambda: train_epoch(model, training, options, optimizer, schedule, 1))
    forecast = least(lambda: forecast_windows(model, validation))
    logits = forecast_windows(model, validation)
    fitted = least(lambda: calibrate(options, logits, validation))
    print(
        f"{name}: {len(training)} and {len(validation)} windows; epoch {epoch:.3f} s, forecast {forecast:.3f} s, "
        f"calibration {fitted:.4f} s: {fitted / (epoch + forecast + fitted):.1%}",
        flush=True,
    )


def least(work: Callable[[], object]) -> float:
    """Seconds of processor time, the fastest of REPEATS."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    main()

"""How much faster is a temporal convolution's pass over whole units than its windows one by one?

Per lookback, the CPU time of the forecasts at every row of 20 units of 200 rows, on one thread, both ways in turn; the
ratio of the fastest of each, and the largest difference of the logits.

    python benchmarks/unit_forecasts.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from timing import alternate
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.forecast import forecast, forecast_batch_size, forecast_windows
from ddrsa.models.tcn import TemporalConvolutionDDRSA

UNITS, ROWS, FEATURES, HORIZON, CHANNELS, KERNEL_SIZE = 20, 200, 24, 125, 64, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    unit = np.repeat(np.arange(UNITS), ROWS)
    left = np.tile(np.arange(ROWS, dtype=np.float32)[::-1], UNITS)
    features = np.random.default_rng(0).normal(size=(len(unit), FEATURES)).astype(np.float32)
    names = tuple(f"feature_{number}" for number in range(FEATURES))
    units = Sequences(features, unit, left, np.ones(len(unit), np.bool_), names)
    print(f"{'K':>4} {'windows, ms':>12} {'pass, ms':>9} {'times':>6} {'difference':>11}")
    for lookback in (64, 128, 256):
        measure(Windows(units, lookback), arguments.rounds)


def measure(windows: Windows, rounds: int) -> None:
    model = TemporalConvolutionDDRSA(FEATURES, windows.lookback, HORIZON, CHANNELS, KERNEL_SIZE, dropout=0.1)
    size = forecast_batch_size(model, windows.lookback, windows.device)

    def one_by_one() -> Tensor:
        return forecast(model, (batch.windows for batch in windows.batches(size)))

    def in_a_pass() -> Tensor:
        return forecast_windows(model, windows)

    slow, fast = (min(times) * 1e3 for times in alternate(one_by_one, in_a_pass, rounds, clock=time.process_time))
    difference = float((one_by_one() - in_a_pass()).abs().max())
    print(f"{windows.lookback:4} {slow:12.1f} {fast:9.1f} {slow / fast:6.1f} {difference:11.1e}", flush=True)


if __name__ == "__main__":
    main()

"""How much faster are the compiled recurrent networks than PyTorch's layers?

Per cell and shape, the CPU time of a training step (forward, backward and the optimizer) and a forecast of one batch,
on one thread, by `kernel=torch` and `kernel=auto` in turn, each in parts of as many windows as a run takes; the ratio
of the fastest of each. A ratio below 1 is a shape that should be left to PyTorch (`MOST_UNITS`).

It ends with what a process pays for numba before its first step, in CPU time, and with what the first one on a machine
pays for compiling (`--compile`).

    python benchmarks/recurrent_kernels.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Literal

import torch

from ddrsa.models.kernels import choice
from ddrsa.models.rnn import RecurrentDDRSA
from ddrsa.training.allocator import keep_freed_memory

FEATURES = 24
# lookback K, horizon L, windows, hidden size, layers; the first is the default.
SHAPES = (
    (128, 100, 128, 16, 1),
    (64, 128, 64, 16, 1),
    (256, 64, 512, 16, 1),
    (128, 100, 128, 32, 1),
    (128, 100, 128, 64, 1),
    (128, 100, 128, 128, 1),
    (128, 100, 128, 32, 2),
    (30, 30, 16, 16, 1),
    (128, 100, 16, 16, 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="measure the compilation as well")
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"], choices=["lstm", "gru"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as every run does
    keep_freed_memory()
    choice.MOST_UNITS = 10**9  # to see what the rule leaves to PyTorch
    print(f"{'cell':>4} {'K':>4} {'L':>4} {'B':>4} {'units':>5} {'layers':>6}   {'step, ms':>17} {'forecast, ms':>29}")
    for cell in arguments.cells:
        for shape in SHAPES:
            measure(cell, shape, arguments.rounds)
    print("numba and the compiled code, read:", seconds_of_import(os.environ))
    if arguments.compile:
        with tempfile.TemporaryDirectory() as empty:
            print("compiled for the first time:", seconds_of_import({**os.environ, "NUMBA_CACHE_DIR": empty}))


def seconds_of_import(environment: Mapping[str, str]) -> str:
    """CPU seconds of a process that imports the kernels, torch apart; the least of three."""
    code = (
        "import time, torch; began = time.process_time(); import ddrsa.models.kernels.function;"
        "print(time.process_time() - began)"
    )
    rounds = 1 if "NUMBA_CACHE_DIR" in environment else 3
    ran = [subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True) for _ in range(rounds)]
    return f"{min(float(each.stdout) for each in ran):.2f} s"


def measure(cell: Literal["lstm", "gru"], shape: tuple[int, int, int, int, int], rounds: int) -> None:
    lookback, horizon, batch, units, layers = shape
    torch.manual_seed(0)
    model = RecurrentDDRSA(cell, FEATURES, lookback, horizon, units, layers, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    windows = torch.randn(batch, lookback, FEATURES + 1)

    def step() -> None:
        optimizer.zero_grad()
        for part in windows.split(model.windows_at_once(lookback)):
            (model(part).sum() / batch).backward()
        optimizer.step()

    @torch.no_grad()
    def forecast() -> None:
        for part in windows.split(model.windows_at_once(lookback)):
            model(part)

    trained = fastest(step, rounds)
    model.eval()
    forecasts = fastest(forecast, rounds)
    columns = " ".join(f"{number:>{width}}" for number, width in zip(shape, (4, 4, 4, 5, 6), strict=True))
    print(f"{cell:>4} {columns}   {_shown(*trained)}   {_shown(*forecasts)}", flush=True)


def fastest(work: Callable[[], None], rounds: int) -> tuple[float, float]:
    """The shortest time in ms by PyTorch's layers and by the compiled ones, of as many rounds in turn."""
    best = {"torch": float("inf"), "auto": float("inf")}
    for kernel in best:
        choice.choose_kernel(kernel)
        work()
    for _ in range(rounds):
        for kernel in best:
            choice.choose_kernel(kernel)
            began = time.process_time()
            work()
            best[kernel] = min(best[kernel], (time.process_time() - began) * 1000)
    return best["torch"], best["auto"]


def _shown(theirs: float, ours: float) -> str:
    return f"{theirs:8.1f} {ours:8.1f} {theirs / ours:5.1f}x"


if __name__ == "__main__":
    main()

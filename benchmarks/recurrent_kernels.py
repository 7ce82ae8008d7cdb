"""How much faster are the compiled GRU layers than PyTorch's?

Per shape, the CPU time of a training step (forward, backward and the optimizer) and a forecast of one batch, on one
thread, by `kernel=torch` and `kernel=auto` in turn; the ratio of the fastest of each. A ratio below 1 is a shape that
should be left to PyTorch (`MOST_UNITS`).

    python benchmarks/recurrent_kernels.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from ddrsa.models.kernels import choice
from ddrsa.models.rnn import RecurrentDDRSA
from ddrsa.training.allocator import keep_freed_memory

FEATURES = 24
# lookback K, horizon L, windows, hidden size, layers; the first is the default.
SHAPES = (
    (128, 100, 128, 16, 1),
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
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as every run does
    keep_freed_memory()
    choice.MOST_UNITS = 10**9  # to see what the rule leaves to PyTorch
    print(f"{'K':>4} {'L':>4} {'B':>4} {'units':>5} {'layers':>6}   {'step, ms':>17} {'':>6}   {'forecast, ms':>17}")
    for shape in SHAPES:
        measure(shape, arguments.rounds)


def measure(shape: tuple[int, int, int, int, int], rounds: int) -> None:
    lookback, horizon, batch, units, layers = shape
    torch.manual_seed(0)
    model = RecurrentDDRSA("gru", FEATURES, lookback, horizon, units, layers, dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    windows = torch.randn(batch, lookback, FEATURES + 1)
    at_once = model.windows_at_once(lookback)

    def step() -> None:
        optimizer.zero_grad()
        for part in windows.split(at_once):
            (model(part).sum() / batch).backward()
        optimizer.step()

    @torch.no_grad()
    def forecast() -> None:
        for part in windows.split(at_once):
            model(part)

    trained = fastest(step, rounds)
    model.eval()
    forecasts = fastest(forecast, rounds)
    columns = " ".join(f"{number:>{width}}" for number, width in zip(shape, (4, 4, 4, 5, 6), strict=True))
    print(f"{columns}   {_shown(*trained)}   {_shown(*forecasts)}", flush=True)


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

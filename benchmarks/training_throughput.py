"""Does the training loop keep up with the model?

Per model, the windows per second of whole training epochs as `ddrsa.training` runs them, with everything a run does
(shuffling, gathering the windows, the loss, clipping, the optimizer, the schedule), beside the bare forward, backward
and step on random tensors of the same shape. One thread, alternately, per second of CPU time; the ratio of the
fastest, and the median of the ratios pair by pair.

    python benchmarks/training_throughput.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from timing import alternate, median_ratio

import ddrsa.task  # noqa: F401  (registers the schema)
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import parse_config
from ddrsa.data.load import load_dataset
from ddrsa.data.windows import Windows
from ddrsa.models.build import build_model
from ddrsa.training.allocator import keep_freed_memory
from ddrsa.training.schedule import Schedule
from ddrsa.training.trainer import train_epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["lstm", "gru", "transformer"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as every run does, like the next; it serves both sides
    torch.set_flush_denormal(True)
    print(f"{'model':12} {'epoch, windows/s':>18} {'bare, windows/s':>18} {'ratio':>7} {'median':>7}")
    for name in arguments.models:
        measure(name, arguments.rounds)


def measure(name: str, rounds: int) -> None:
    conf = Path(__file__).resolve().parent.parent / "conf"
    with initialize_config_dir(str(conf), **VERSION_BASE):
        config = parse_config(compose("config", overrides=[f"model={name}", "dataset.num_units=20"]))
    options = config.training
    dataset = load_dataset(vars(config.dataset), data_dir=".", cache_dir=None, seed=0)
    windows = Windows(dataset.training, config.lookback)
    num_features = len(dataset.training.feature_names)
    batches = [len(index) for index in torch.arange(len(windows)).split(options.batch_size)]

    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = build_model(
            config.model,
            num_features=num_features,
            lookback=config.lookback,
            horizon=config.horizon,
            dropout=config.dropout,
        )
        return model, torch.optim.AdamW(model.parameters(), lr=options.learning_rate, fused=True)

    model, optimizer = fresh()
    schedule = Schedule(optimizer, options.schedule, len(batches), 100 * len(batches), options.patience)
    epochs = iter(range(1, 1000))

    def epoch() -> None:
        train_epoch(model, windows, options, optimizer, schedule, next(epochs))

    bare_model, bare_optimizer = fresh()
    # The last channel marks real rows; the share of padding is that of the data.
    shape = (options.batch_size, config.lookback, num_features + 1)
    random = torch.randn(shape)
    random[..., -1] = windows.gather(torch.randint(len(windows), (options.batch_size,))).windows[..., -1]

    def bare() -> None:
        for count in batches:
            bare_optimizer.zero_grad()
            bare_model(random[:count]).mean().backward()
            bare_optimizer.step()

    ours, theirs = alternate(epoch, bare, rounds, clock=time.process_time)
    ratio, median = min(theirs) / min(ours), median_ratio(theirs, ours)
    mine, bare_model_s = len(windows) / min(ours), len(windows) / min(theirs)
    print(f"{name:12} {mine:18,.0f} {bare_model_s:18,.0f} {ratio:7.2f} {median:7.2f}", flush=True)


if __name__ == "__main__":
    main()

"""Windows that are drawn in segments: how much faster is an epoch, and are the models as good?

The temporal convolution with the official presets of C-MAPSS, on their training and validation engines. A way is
SIZExSTRIDE, the options windows_per_segment and segment_stride, beside `windows`, one by one.

    python benchmarks/segments.py speed            # CPU time of epochs, each way and `windows` in turn
    python benchmarks/segments.py train --keep DIR # trainings, one file each; those that are there are not repeated
    python benchmarks/segments.py table --keep DIR # what they are like, paired with `windows`

DDRSA_DATA_DIR says where the data lie. `--share 0.5` trains half of the preset's epochs, with the schedule that long.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import torch
from paired_trainings import prepared, tabulate, train_all
from timing import alternate

from ddrsa.data.windows import Windows
from ddrsa.training.allocator import keep_freed_memory
from ddrsa.training.optimizer import AdamW
from ddrsa.training.schedule import Schedule
from ddrsa.training.trainer import train_epoch

ONE_BY_ONE = "windows"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "train", "table"])
    parser.add_argument("--data", nargs="+", default=["FD001", "FD002", "FD004"])
    parser.add_argument("--ways", nargs="+", default=["8x1", "32x1", "8x16", "32x16"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--share", type=float, default=1.0, help="of the preset's epochs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, default=Path("segments"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.set_flush_denormal(True)
    data = {name: [f"experiment={name.lower()}_official"] for name in arguments.data}
    ways = {way: overrides(way) for way in (ONE_BY_ONE, *arguments.ways)}
    if arguments.what == "train":
        train_all(data, ways, arguments.seeds, arguments.share, arguments.keep)
    elif arguments.what == "table":
        tabulate(list(data), list(ways), arguments.seeds, arguments.keep)
    else:
        print(f"{'data':6} {'way':>8} {'windows, s':>11} {'segments, s':>12} {'times':>6}")
        for name, way in itertools.product(data, arguments.ways):
            one, other = (epoch(data[name] + ways[drawn]) for drawn in (ONE_BY_ONE, way))
            slow, fast = (min(times) for times in alternate(one, other, arguments.rounds, clock=time.process_time))
            print(f"{name:6} {way:>8} {slow:11.2f} {fast:12.2f} {slow / fast:6.2f}", flush=True)


def overrides(way: str) -> list[str]:
    """Of the command line."""
    if way == ONE_BY_ONE:
        return ["model.windows_per_segment=null"]
    size, stride = way.split("x")
    return [f"model.windows_per_segment={size}", f"model.segment_stride={stride}"]


def epoch(of: list[str]) -> Callable[[], float]:
    """An epoch of training at each call."""
    config, dataset, model = prepared(of, seed=0)
    windows, options = Windows(dataset.training, config.lookback), config.training
    optimizer = AdamW(model.parameters(), lr=options.learning_rate, fused=True)
    schedule = Schedule(optimizer, options.schedule, 100, 100_000, options.patience)
    return lambda: train_epoch(model, windows, options, optimizer, schedule, epoch=1)


if __name__ == "__main__":
    main()

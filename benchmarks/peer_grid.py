"""Seconds of a grid of 8 runs from the command to the tables, by this project and by a script, or any two commands.

    DDRSA_DATA_DIR=DIR python benchmarks/peer_grid.py [--epochs 3 30] [--rounds 3]
    DDRSA_DATA_DIR=DIR python benchmarks/peer_grid.py --command 'before=cd BEFORE && ...' --command 'after=...'

LSTM and GRU, batches of 64 and 128, learning rates of 0.001 and 0.005 on FD001 with the paper's split (K = 128,
L = 100, 16 units), two runs at a time. The peer is `queue_script.py`. The commands alternate, after one round of each
that is not counted (caches of data, of compiled code, of files); the least of each counts, in seconds and in processor
time.

In a command {epochs}, {out} (a directory that is new each time), {data} and {python} are replaced; it runs in a shell,
in the root of this clone.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = (
    "{python} train.py -m dataset=turbofan model=lstm,gru batch_size=64,128 learning_rate=0.001,0.005 lookback=128"
    " horizon=100 model.hidden_size=16 num_epochs={epochs} patience=0 device=cpu hydra.launcher.n_jobs=2"
    " hydra.sweep.dir={out} && {python} analyze.py hydra.sweep.dir={out}"
)
PEER = "{python} benchmarks/queue_script.py --data-dir {data} --out {out} --epochs {epochs} --workers 2"
TABLES = ("summary_statistics.csv", "summary.csv")


def main() -> None:
    """Alternate the commands, print the least of each and the ratios to the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, nargs="+", default=[3])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--command", action="append", metavar="NAME=COMMAND", help="twice or more; else script and ddrsa"
    )
    parser.add_argument("--no-warm-up", action="store_true", help="count the first round too")
    arguments = parser.parse_args()
    given = dict(each.split("=", 1) for each in arguments.command or ())
    commands = given or {"script": PEER, "ddrsa": OURS}
    for epochs in arguments.epochs:
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(arguments.rounds + (not arguments.no_warm_up)):
            for name, command in commands.items():
                seconds = measure(command, epochs)
                if number or arguments.no_warm_up:
                    taken[name].append(seconds)
                print(
                    f"  {epochs} epochs, {name}: {seconds[0]:.1f} s, {seconds[1]:.1f} s of processor time", flush=True
                )
        least = {name: tuple(map(min, zip(*each, strict=True))) for name, each in taken.items()}
        first = next(iter(least.values()))
        for name, (seconds, processor) in least.items():
            ratios = f"{first[0] / seconds:.2f} and {first[1] / processor:.2f} times as fast as {next(iter(least))}"
            print(
                f"{epochs} epochs, {name}: {seconds:.1f} s, {processor:.1f} s of processor time, {ratios}", flush=True
            )


def say(what: str, seconds: float, processor: float, more: str = "") -> None:
    print(f"{what}: {seconds:.1f} s, {processor:.1f} s of processor time{', ' if more else ''}{more}", flush=True)


def measure(command: str, epochs: int) -> tuple[float, float]:
    """Seconds and processor seconds of one command, which must leave a table."""
    out = Path(tempfile.mkdtemp())
    data = os.environ.get("DDRSA_DATA_DIR", "data")
    try:
        text = command.format(python=sys.executable, epochs=epochs, out=out / "out", data=data)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        result = subprocess.run(["sh", "-c", text], cwd=ROOT, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if result.returncode or not any((out / "out" / name).exists() for name in TABLES):
            raise SystemExit(f"{text}\n{result.stdout[-2000:]}{result.stderr[-2000:]}\nended without a table")
        return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    finally:
        shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()

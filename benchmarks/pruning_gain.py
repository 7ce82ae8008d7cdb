"""How many epochs Hyperband saves against the full grid, at an equal best validation result.

    DDRSA_DATA_DIR=... python benchmarks/pruning_gain.py [DIR] [OVERRIDES ...]

The grid: 24 configurations of LSTM and GRU on FD001 (model x learning rate x batch size), each trained for all its
epochs. The search: the same 24 configurations through Optuna's grid sampler, in random order, pruned by Hyperband. Both
train with the same seed, so a run that is not pruned is the same run in both. What counts is the sum of the epochs of
all runs, and the best validation NLL among the runs that went on to the end.

DIR keeps both sweeps: given again, what is done is not done again, and both numbers are printed anew. OVERRIDES are
added to both commands (num_epochs=3, say, to try it). Without DIR it works in a temporary directory.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

TRAIN = Path(__file__).parents[1] / "train.py"
SPACE = ("model=lstm,gru", "learning_rate=0.0003,0.001,0.003,0.01", "batch_size=128,256,512")
RUNS = 24
# Short windows, so that it takes less than an hour on a core. With a constant learning rate the first epochs of a run
# say more of its last ones.
COMMON = (
    "dataset=turbofan",
    "num_epochs=100",
    "patience=0",
    "lookback=16",
    "horizon=64",
    "schedule=constant",
    "device=cpu",
)
SEARCH = (
    "hydra/sweeper=optuna",
    "hydra/sweeper/sampler=grid",
    "hydra.sweeper.sampler.seed=1",
    "hydra/sweeper/pruner=hyperband",
    "hydra.sweeper.pruner.reduction_factor=4",  # judged after 1, 4, 16 and 64 epochs
    f"hydra.sweeper.n_trials={RUNS}",
)


def sweep(directory: Path, overrides: tuple[str, ...]) -> tuple[int, float]:
    """Returns the epochs of all runs, and the lowest validation NLL of those that completed."""
    command = [sys.executable, str(TRAIN), "-m", *overrides, f"hydra.sweep.dir={directory}"]
    subprocess.run(command, check=True)
    epochs, best = 0, float("inf")
    states: dict[str, int] = {}
    for file in sorted(directory.rglob("status.json")):
        state = json.loads(file.read_text())["state"]
        states[state] = states.get(state, 0) + 1
        with (file.parent / "training_log.csv").open(newline="") as stream:
            epochs += len(list(csv.DictReader(stream)))
        if state == "completed":
            metrics = json.loads((file.parent / "test_metrics.json").read_text())
            best = min(best, metrics["validation"]["nll"])
    if sum(states.values()) != RUNS:
        raise SystemExit(f"{directory} has {states}, {RUNS} runs are expected")
    print(f"{directory.name}: {epochs} epochs, best validation NLL {best:.4f}, {states}")
    return epochs, best


def compare(directory: Path, overrides: tuple[str, ...]) -> None:
    grid_epochs, grid_best = sweep(directory / "grid", (*SPACE, *COMMON, *overrides))
    search_epochs, search_best = sweep(directory / "hyperband", (*SPACE, *COMMON, *SEARCH, *overrides))
    print(f"{grid_epochs / search_epochs:.2f} times as many epochs in the grid (3 are wanted)")
    print(
        f"the best of the search is {100 * (search_best / grid_best - 1):+.2f} % from that of the grid (2 are allowed)"
    )


def main() -> None:
    arguments = sys.argv[1:]
    if arguments and "=" not in arguments[0]:
        compare(Path(arguments[0]).absolute(), tuple(arguments[1:]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        compare(Path(temporary), tuple(arguments))


if __name__ == "__main__":
    main()

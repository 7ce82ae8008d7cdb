"""Records the second table of benchmarks/race.py, race_scores_clear.csv: a grid in which one configuration is better.

    python benchmarks/race_trainings.py --trainings FILE

6 learning rates x 3 batch sizes x 20 seeds of a small GRU on the simulated fleet, 360 trainings one after the other in
this process (4 minutes of one core), each with the data, the model and the training loop of

    python train.py model=gru learning_rate=RATE batch_size=SIZE seed=SEED OPTIONS

and the NLL of its calibrated forecasts of the validation units, of the epoch with the lowest validation loss. The test
units are not evaluated. FILE holds one training in a line; what is there already is not done again.

The rates are those up to the best of a wider grid (to 0.3), chosen by its scores so that one configuration is better
than all others. Some 80 replays of races on the wider grid had named no winner before; on this one none was run before
it was chosen.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from hydra import compose, initialize_config_dir

import ddrsa.task  # noqa: F401  (registers the schema)
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import parse_config
from ddrsa.data.load import load_dataset
from ddrsa.data.windows import Windows
from ddrsa.models.build import build_model
from ddrsa.run import seed_everything
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.training.denormals import flushed_denormals
from ddrsa.training.trainer import train

OPTIONS = [
    "kernel=torch", "device=cpu", "dataset.num_units=20", "model.hidden_size=8", "lookback=8", "horizon=32",
    "num_epochs=10", "patience=0", "dropout=0", "calibration=odds",
]  # fmt: skip
TABLE = Path(__file__).with_name("race_scores_clear.csv")
KEYS = ["learning_rate", "batch_size", "seed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trainings", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with initialize_config_dir(str(Path(__file__).resolve().parent.parent / "conf"), **VERSION_BASE):
        config = parse_config(compose("config", overrides=["model=gru", *OPTIONS]))
    dataset = load_dataset(vars(config.dataset), data_dir=".", cache_dir=None, seed=0)
    parts = [Windows(part, config.lookback) for part in (dataset.training, dataset.validation)]

    def score(rate: float, size: int, seed: int) -> float:
        options = replace(config.training, learning_rate=rate, batch_size=size, seed=seed)
        seed_everything(seed)
        sizes = {"lookback": config.lookback, "horizon": config.horizon, "dropout": config.dropout}
        model = build_model(config.model, num_features=len(dataset.training.feature_names), **sizes)
        records = []
        with tempfile.TemporaryDirectory() as directory, flushed_denormals():
            run = TrainingDirectory(directory)
            best = train(model, *parts, options, run, {}, lambda record: records.append(record) or False).best_epoch
        return float(records[best - 1].validation_nll)

    known = (
        pd.read_csv(arguments.trainings)
        if arguments.trainings.exists()
        else pd.DataFrame(columns=[*KEYS, "validation_nll"])
    )
    done = {tuple(row) for row in known[KEYS].itertuples(index=False, name=None)}
    rows = known.to_numpy().tolist()
    # Seed by seed, so that a table that was cut off is one of fewer seeds.
    for seed, rate, size in itertools.product(range(arguments.seeds), arguments.rates, arguments.sizes):
        if (rate, size, seed) in done:
            continue
        began = time.process_time()
        rows.append([rate, size, seed, round(score(rate, size, seed), 6)])
        print(*rows[-1], f"{time.process_time() - began:.2f} s", flush=True)
        pd.DataFrame(rows, columns=[*KEYS, "validation_nll"]).to_csv(arguments.trainings, index=False)
    frame = pd.DataFrame(rows, columns=[*KEYS, "validation_nll"]).astype({"batch_size": int, "seed": int})
    table = frame.pivot_table(index=["learning_rate", "batch_size"], columns="seed", values="validation_nll")
    table.round(6).to_csv(TABLE)
    print(f"{len(table)} configurations x {table.shape[1]} seeds in {TABLE.name}")


if __name__ == "__main__":
    main()

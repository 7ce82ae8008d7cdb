"""Trainings of the same data and seeds in several ways, and how their forecasts for the validation units compare.

Used by segments.py and transformer_step.py. The test units are not looked at.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray

import ddrsa.task  # noqa: F401  (registers the schema)
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import RunConfig, parse_config
from ddrsa.data.load import Dataset, load_dataset
from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel
from ddrsa.models.build import build_model
from ddrsa.models.forecast import forecast_windows
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.hazard import restricted_mean
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.training.calibrate import calibrate
from ddrsa.training.trainer import train

CONF = Path(__file__).resolve().parent.parent / "conf"
DRAWS = 2000
# Overrides of the command line by name.
Ways = Mapping[str, Sequence[str]]
Result = Mapping[str, NDArray[np.float64]]


def prepared(overrides: Sequence[str], seed: int) -> tuple[RunConfig, Dataset, DDRSAModel]:
    """A run's config, its data, split by the seed, and a fresh model."""
    overrides = [*overrides, f"seed={seed}", "dataset.split_seed=null"]
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        config = parse_config(compose("config", overrides=overrides))
    data_dir = os.environ.get("DDRSA_DATA_DIR", "data")
    dataset = load_dataset(vars(config.dataset), data_dir=data_dir, cache_dir=None, seed=seed)
    torch.manual_seed(seed)
    num_features = len(dataset.training.feature_names)
    sizes = {"num_features": num_features, "lookback": config.lookback, "horizon": config.horizon}
    return config, dataset, build_model(config.model, dropout=config.dropout, **sizes)


def train_all(data: Ways, ways: Ways, seeds: Sequence[int], share: float, keep: Path) -> None:
    """Train each way with each seed on each data set, for that share of its epochs; what is in `keep` stays."""
    keep.mkdir(parents=True, exist_ok=True)
    for seed, (name, overrides), way in itertools.product(seeds, data.items(), ways):
        if not kept(keep, name, way, seed).exists():
            print(f"{name} {way} seed {seed}: ", end="", flush=True)
            train_one([*overrides, *ways[way]], seed, share, kept(keep, name, way, seed))


def kept(keep: Path, data: str, way: str, seed: int) -> Path:
    """Where the forecasts of a training lie."""
    return keep / f"{data}_{way}_{seed}.npz"


def train_one(overrides: Sequence[str], seed: int, share: float, path: Path) -> None:
    """Train, and keep what the best epoch forecasts, calibrated out of fold."""
    config, dataset, model = prepared(overrides, seed)
    options = replace(config.training, num_epochs=max(1, round(share * config.training.num_epochs)))
    training, validation = (Windows(part, config.lookback) for part in (dataset.training, dataset.validation))
    start = time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        run = TrainingDirectory(Path(directory))
        progress = train(model, training, validation, options, run, {}, lambda _: False)
    seconds = time.process_time() - start
    _, logits = calibrate(options, forecast_windows(model, validation), validation)
    known = validation.time_to_event, validation.event_observed
    error = restricted_mean(logits) - known[0].clamp(max=config.horizon)
    nll = negative_log_likelihood(logits, *known)
    what = {"unit": validation.unit, "nll": nll, "squared": error.square(), "epochs": options.num_epochs}
    np.savez(path, **what, best=progress.best_epoch, seconds=seconds)
    print(
        f"NLL {float(nll.mean()):.4f}, RMSE {float(error.square().mean().sqrt()):.2f}, {options.num_epochs} epochs, "
        f"the best is {progress.best_epoch}, {seconds:.0f} s of CPU time",
        flush=True,
    )


def tabulate(data: Sequence[str], ways: Sequence[str], seeds: Sequence[int], keep: Path) -> None:
    """Means over the seeds, and the differences to the first of `ways` with a 95 % interval over units."""
    first = ways[0]
    headings = f"{'NLL - ' + first + ', 95 %':>32} {'RMSE - ' + first:>16} {'CPU s':>7}"
    print(f"{'data':10} {'way':>10} {'seeds':>5} {'epochs':>6} {'NLL':>7} {'RMSE':>6} {headings}")
    for name, way in itertools.product(data, ways):
        there = [seed for seed in seeds if all(kept(keep, name, one, seed).exists() for one in (first, way))]
        if not there:
            continue
        found, base = ([np.load(kept(keep, name, one, seed)) for seed in there] for one in (way, first))
        epochs = {int(one["epochs"]) for one in [*found, *base]}
        if len(epochs) > 1:
            raise SystemExit(f"{keep}: trainings of {name} for different numbers of epochs cannot be compared")
        nll, rmse, seconds = (float(np.mean([of(one) for one in found])) for of in (mean_nll, rms_error, cpu_seconds))
        row = f"{name:10} {way:>10} {len(there):5} {epochs.pop():6} {nll:7.4f} {rmse:6.2f}"
        if way == first:
            row += " " * 50
        else:
            low, high = interval(found, base)
            more, further = (
                np.mean([of(a) - of(b) for a, b in zip(found, base, strict=True)]) for of in (mean_nll, rms_error)
            )
            row += f" {more:+12.4f} ({low:+.4f} to {high:+.4f}) {further:+16.2f}"
        print(f"{row} {seconds:7.0f}")


def mean_nll(result: Result) -> float:
    """Over the windows."""
    return float(result["nll"].mean())


def rms_error(result: Result) -> float:
    """Of the forecast of min(time to event, horizon), over the windows, in cycles."""
    return float(np.sqrt(result["squared"].mean()))


def cpu_seconds(result: Result) -> float:
    """Of the training."""
    return float(result["seconds"])


def interval(found: Sequence[Result], base: Sequence[Result]) -> tuple[float, float]:
    """The 95 % interval of the mean over seeds of the difference in NLL, by the bootstrap over each seed's units."""
    rng = np.random.default_rng(0)
    draws = np.zeros(DRAWS)
    for one, other in zip(found, base, strict=True):
        _, unit = np.unique(one["unit"], return_inverse=True)
        difference, rows = np.bincount(unit, one["nll"] - other["nll"]), np.bincount(unit)
        chosen = rng.integers(len(rows), size=(DRAWS, len(rows)))
        draws += difference[chosen].sum(1) / rows[chosen].sum(1) / len(found)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)

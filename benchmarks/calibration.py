"""How well calibrated are the forecasts of a trained model, as they are and with each calibration?

The LSTM with the default hyperparameters is trained on the simulated fleet and on NASA's engines; the seed draws its
weights, and the split too. Everything is of validation units, out of fold for what is fitted to them: the likelihood,
the expected calibration error at the horizon, half and a quarter of it, D-calibration's p, the restricted RMSE, and the
95 % interval of the error at the horizon by the bootstrap over units.

    DDRSA_DATA_DIR=... python benchmarks/calibration.py [--data simulated FD001 FD002 FD004] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddrsa.data.load import load_dataset
from ddrsa.data.windows import Windows
from ddrsa.evaluation.times import observed_times
from ddrsa.models.build import build_model
from ddrsa.models.forecast import forecast, forecast_batch_size
from ddrsa.models.options import RecurrentOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import exact_correction
from ddrsa.survival.calibration.fit import FittingWindows
from ddrsa.survival.calibration.measures import calibration_errors, d_calibration, reliability
from ddrsa.survival.calibration.resampled import resampled_errors
from ddrsa.survival.hazard import restricted_mean, survival
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.survival.metrics import root_mean_squared_error
from ddrsa.survival.unit_bootstrap import draws
from ddrsa.training.denormals import flushed_denormals
from ddrsa.training.options import TrainingOptions
from ddrsa.training.trainer import train

LOOKBACK, HORIZON, LAMBDA = 64, 128, 0.75
DRAWS = 300
DATA = {
    "simulated": {"name": "simulated"},
    "FD001": {"name": "turbofan", "subset": "FD001"},
    "FD002": {"name": "turbofan", "subset": "FD002", "scaling": "condition"},
    "FD004": {"name": "turbofan", "subset": "FD004", "scaling": "condition"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30, help="of each training; 30 are those of hparams=default")
    parser.add_argument("--keep", type=Path, help="a folder for the forecasts; those that are there are not made again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'data':10} seed {'':7} {'NLL':>7} {'error at L':>10} {'L/2':>6} {'L/4':>6} {'p':>7} {'RMSE':>6}   error at L"
    )
    for seed in arguments.seeds:
        for name in arguments.data:
            judge(name, seed, arguments.epochs, arguments.keep)


def judge(name: str, seed: int, num_epochs: int, keep: Path | None) -> None:
    data = load_dataset(
        {**DATA[name], "split_seed": seed}, data_dir=os.environ.get("DDRSA_DATA_DIR", "data"), cache_dir=None, seed=seed
    )
    training, validation = (Windows(part, LOOKBACK) for part in (data.training, data.validation))
    logits = trained_forecasts(name, seed, num_epochs, training, validation, keep)
    known = (validation.time_to_event, validation.event_observed)
    exact = exact_correction(LAMBDA)
    windows = FittingWindows(logits, *known, validation.unit)
    fitted = windows.fit(exact)
    calibrated = {
        "none": logits,
        "odds": exact(logits),
        "fitted": windows.out_of_fold(exact),
    }
    time, event = observed_times(data.validation, HORIZON)
    for label, values in calibrated.items():
        print(f"{name:10} {seed:4} {label:7} {measured(values, *known, time, event, data.validation.unit)}", flush=True)
    print(f"{'':23}fitted to {data.validation.num_units} units: offset {fitted.offset:.2f}, slope {fitted.slope:.2f}")


def trained_forecasts(
    name: str, seed: int, num_epochs: int, training: Windows, validation: Windows, keep: Path | None
) -> Tensor:
    """The hazard logits (N, L) of the validation windows, as the model gives them."""
    kept = None if keep is None else keep / f"{name}_{seed}_{num_epochs}.pt"
    if kept is not None and kept.exists():
        return torch.load(kept, weights_only=True)
    torch.manual_seed(seed)
    model = build_model(
        RecurrentOptions("lstm", 16, 1), num_features=training.num_features, lookback=LOOKBACK, horizon=HORIZON,
        dropout=0.1,
    )  # fmt: skip
    options = TrainingOptions(128, 0.003, LAMBDA, 0.0, num_epochs, 10, 1e-4, 1.0, "cosine", 1.0, seed=seed)
    with tempfile.TemporaryDirectory() as directory, flushed_denormals():
        train(model, training, validation, options, TrainingDirectory(directory), {}, lambda _: False)
    batches = validation.batches(forecast_batch_size(model, LOOKBACK, torch.device("cpu")))
    logits = forecast(model, (batch.windows for batch in batches))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        torch.save(logits, kept)
    return logits


def measured(logits: Tensor, tau: Tensor, seen: Tensor, time: np.ndarray, event: np.ndarray, unit: np.ndarray) -> str:
    survivals = survival(logits).double().numpy()
    errors = calibration_errors(reliability(survivals, time, event))
    nll = float(negative_log_likelihood(logits, tau, seen).double().mean())
    p = d_calibration(survivals, time, event, unit)["p_value"]
    number = np.unique(unit, return_inverse=True)[1]
    drawn = draws(int(number.max()) + 1, DRAWS)
    low, high = np.quantile(resampled_errors(survivals, time, event, number, drawn)["horizon"], [0.025, 0.975])
    known = event | (time >= HORIZON)
    rmse = root_mean_squared_error(restricted_mean(logits).double().numpy()[known], time[known])
    of_windows = f"{errors['horizon']:10.3f} {errors['half_horizon']:6.3f} {errors['quarter_horizon']:6.3f}"
    return f"{nll:7.3f} {of_windows} {p:7.2g} {rmse:6.2f}   {low:.3f} to {high:.3f}"


if __name__ == "__main__":
    main()

"""The official protocol of C-MAPSS."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel
from ddrsa.models.forecast import forecast, forecast_batch_size
from ddrsa.survival.hazard import restricted_mean
from ddrsa.survival.precision import to_float64
from ddrsa.survival.unit_bootstrap import draws, interval

# The protocol caps both the true and the predicted remaining useful life (Heimes, PHM 2008).
CAP = 125


def evaluate_official(model: DDRSAModel, official: Sequences, lookback: int, device: torch.device) -> dict[str, Any]:
    """The last window of each test engine against the RUL file, both capped at 125, with intervals over the engines.

    `official_rmse`, `official_score`, and `intervals` of both. The forecast is E[min(tau, 125)]. It cannot exceed the
    horizon, so a horizon below 125 makes these worse than the model is.
    """
    windows = Windows(official, lookback, device, ages=model.reads_age)
    last_rows = np.append(official.starts[1:], official.num_rows) - 1
    batch = windows.gather(torch.from_numpy(last_rows).to(device))
    logits = forecast(model, batch.windows.split(forecast_batch_size(model, lookback, device)))
    predicted = to_float64(restricted_mean(logits[:, :CAP])).cpu().numpy()
    error = predicted - np.minimum(np.asarray(official.time_to_event[last_rows], np.float64), CAP)
    return summary(error)


def summary(error: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """The two numbers and their intervals from the error of each engine, predicted minus true cycles, (U,)."""
    penalty = np.expm1(np.where(error < 0, -error / 13, error / 10))
    weights = draws(len(error))
    return {
        "official_rmse": float(np.sqrt((error**2).mean())),
        "official_score": float(penalty.sum()),
        "intervals": {
            "official_rmse": interval(np.sqrt(weights @ error**2 / len(error))),
            "official_score": interval(weights @ penalty),
        },
    }

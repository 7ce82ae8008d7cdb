"""The sensors that drive a forecast, by integrated gradients.

Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, computed by captum: the gradient of the
RUL prediction along the straight line from a window in which every feature is at its median of the training to the
window itself. What all features are given adds up to the difference of the two predictions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.data.options import TableOptions
from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.survival.hazard import restricted_mean
from ddrsa.time_scale import TimeScale
from ddrsa.trained import TrainedRun

# Points on the line; captum's own number.
_POINTS = 50
_NAMED = 3


def attributions(run: TrainedRun, units: Sequences, rows: NDArray[np.int64]) -> pd.DataFrame:
    """How many steps each sensor adds to the RUL predicted at `rows`, (R, sensors), beside the training's medians.

    units: not scaled yet. A sensor is a column of the data: the categories of one are put together. NaN for a model
    that has no gradient (`kaplan_meier`, `boosting`).
    """
    scaled = run.scaled(units)
    if run.model.reads_age:
        return _by_sensor(run, scaled, torch.full((len(rows), len(scaled.feature_names)), torch.nan))
    windows = Windows(scaled, run.config.lookback, run.device)
    baseline_row = _medians(run)
    method = IntegratedGradients(lambda inputs: restricted_mean(run.model(inputs)))
    parts = []
    size = max(1, run.model.windows_at_once(run.config.lookback) // _POINTS)
    # An RNN has no gradient in evaluation by cuDNN.
    with torch.backends.cudnn.flags(enabled=False):
        for index in torch.from_numpy(rows).to(run.device).split(size):
            batch = windows.gather(index).windows
            # The channel that marks the padding is the same in both, and so has no share.
            baseline = torch.cat([baseline_row * batch[..., -1:], batch[..., -1:]], -1)
            found = method.attribute(batch, baseline, n_steps=_POINTS)
            parts.append(found[..., :-1].sum(1).detach().cpu())
    return _by_sensor(run, scaled, torch.cat(parts))


def _by_sensor(run: TrainedRun, scaled: Sequences, shares: Tensor) -> pd.DataFrame:
    table = pd.DataFrame(shares.double().numpy(), columns=list(scaled.feature_names))
    options = run.config.dataset
    categorical = options.categorical_columns if isinstance(options, TableOptions) else []
    sensors = [next((c for c in categorical if name.startswith(f"{c}=")), name) for name in scaled.feature_names]
    return table.T.groupby(sensors, sort=False).sum(min_count=1).T


def _medians(run: TrainedRun) -> Tensor:
    """(G,) the scaled medians of the features that the model reads."""
    scaler = run.scaler
    if run.inputs is None:
        return torch.zeros(len(scaler.kept), device=run.device)
    medians = Sequences(
        run.inputs.median[None], np.ones(1, np.int64), np.zeros(1, np.float32), np.ones(1, bool), scaler.feature_names
    )
    return torch.from_numpy(np.array(scaler.apply(medians).features[0])).to(run.device)


def drivers_in_words(table: pd.DataFrame, scale: TimeScale) -> list[str]:
    """The sensors that move each forecast most: 'pressure -2.5 days, temperature -6 hours'."""
    texts = []
    for values in table.to_numpy():
        if not np.isfinite(values).all():
            texts.append("")
            continue
        order = np.argsort(-np.abs(values), kind="stable")[:_NAMED]
        largest = np.abs(values[order[0]])
        named = [number for number in order if np.abs(values[number]) >= 0.05 * largest > 0]
        texts.append(", ".join(f"{table.columns[n]} {_signed(float(values[n]), scale)}" for n in named))
    return texts


def _signed(steps: float, scale: TimeScale) -> str:
    return f"{'+' if steps > 0 else '-'}{scale.text(abs(steps))}"

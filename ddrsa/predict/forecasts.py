"""Hazard forecasts at some rows of some units, and the tables that are read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.forecast import forecast, forecast_batch_size
from ddrsa.predict.decision import Decision
from ddrsa.predict.doubts import Doubts, find_doubts
from ddrsa.survival.hazard import restricted_mean, survival
from ddrsa.survival.intervals import central_interval, quantile
from ddrsa.survival.rivals import intervenes, policy_score
from ddrsa.trained import TrainedRun


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts at R rows. Every table has these rows and the index (unit, cycle).

    logits: (R, L) of the hazards. index: unit, and the number of the row within it, from 1. time_to_event: (R,) the
    true one in cycles, NaN where it is not known. doubts: about the R inputs.
    """

    logits: Tensor
    index: pd.MultiIndex
    time_to_event: NDArray[np.float64]
    doubts: Doubts

    @property
    def no_number(self) -> NDArray[np.bool_]:
        """(R,) whether a hazard of the forecast is NaN: then nothing is known, and every answer is empty."""
        return np.asarray(self.logits.isnan().any(-1).cpu().numpy())

    def warnings(self) -> pd.Series:
        """What speaks against each forecast, in words; missing where nothing does."""
        no_number = np.where(self.no_number, "the forecast is no number", "")
        both = [[text for text in pair if text] for pair in zip(no_number, self.doubts.texts, strict=True)]
        return pd.Series(["; ".join(texts) or None for texts in both], index=self.index, name="warnings", dtype="str")

    @property
    def horizon(self) -> int:
        """L, in cycles."""
        return self.logits.shape[-1]

    def predictions(self, level: float = 0.8) -> pd.DataFrame:
        """`rul`, the restricted mean E[min(tau, L)]; `rul_median`, `rul_lower`, `rul_upper`, NaN at the horizon or
        beyond; `failure_probability` within the horizon; `time_to_event` where the failure was observed, if any was.
        NaN where the forecast is no number.

        level: of the central interval of the RUL.
        """
        lower, upper = central_interval(self.logits, level)
        columns = {
            "rul": _numbers(restricted_mean(self.logits)),
            "rul_median": self._inside_horizon(quantile(self.logits, 0.5)),
            "rul_lower": self._inside_horizon(lower),
            "rul_upper": self._inside_horizon(upper),
            "failure_probability": _numbers(1 - survival(self.logits)[:, -1]),
        }
        if not np.isnan(self.time_to_event).all():
            columns["time_to_event"] = self.time_to_event
        return pd.DataFrame(columns, index=self.index)

    def hazards(self) -> pd.DataFrame:
        """Column k is h[k] = P(tau = k | tau >= k), k = 0 .. L-1."""
        return self._by_step(self.logits.sigmoid())

    def survival(self) -> pd.DataFrame:
        """Column k is S[k] = P(tau > k), k = 0 .. L-1."""
        return self._by_step(survival(self.logits))

    def decisions(self, decision: Decision) -> pd.DataFrame:
        """`intervene`; the `score` that the policy compares with its threshold; the `threshold`.

        `intervene` is missing where the forecast is no number, and where the policy would go on by inputs far outside
        of the training: neither is a reason to go on. An alarm is never held back.
        """
        score = policy_score(decision.policy, self.logits, decision.window)
        chosen: NDArray[np.bool_] = intervenes(decision.policy, score, decision.threshold).cpu().numpy()
        unknown = self.no_number | (self.doubts.unknown & ~chosen)
        columns: dict[str, Any] = {
            "intervene": pd.arrays.BooleanArray(chosen, unknown),
            "score": _numbers(score),
            "threshold": decision.threshold,
        }
        return pd.DataFrame(columns, index=self.index)

    def _by_step(self, values: Tensor) -> pd.DataFrame:
        return pd.DataFrame(values.cpu().numpy(), index=self.index, columns=pd.RangeIndex(self.horizon, name="step"))

    def _inside_horizon(self, cycles: Tensor) -> NDArray[Any]:
        values = _numbers(cycles)
        return np.where((values < self.horizon) & ~self.no_number, values, np.nan)


def forecast_units(
    run: TrainedRun, units: Sequences, *, last_rows_only: bool, names: pd.Index | None = None
) -> Forecasts:
    """Forecasts at the last row of each unit, or at each of its rows.

    units: U, as they were read: with all the features of the training, not scaled yet. names: (U,) of the units, else
    their numbers. Raises DataError where a feature is missing.
    """
    sequences = run.scaled(units)
    last = np.append(sequences.starts[1:], sequences.num_rows) - 1
    rows = last if last_rows_only else np.arange(sequences.num_rows)
    windows = Windows(sequences, run.config.lookback, run.device, ages=run.model.reads_age)
    size = forecast_batch_size(run.model, run.config.lookback, run.device)
    index = torch.from_numpy(rows).to(run.device)
    logits = forecast(run.model, (windows.gather(part).windows for part in index.split(size)))
    names = pd.Index(sequences.unit_ids) if names is None else names
    unit_of_row = names[np.searchsorted(sequences.starts, rows, side="right") - 1]
    cycles = rows - sequences.unit_start_of_row[rows] + 1
    return Forecasts(
        logits,
        pd.MultiIndex.from_arrays([unit_of_row, cycles], names=["unit", "cycle"]),
        np.where(sequences.event_observed[rows], sequences.time_to_event[rows], np.nan),
        find_doubts(run, units, rows),
    )


def _numbers(values: Tensor) -> NDArray[Any]:
    return np.asarray(values.double().cpu().numpy())

"""Hazard forecasts at some rows of some units, and the tables that are read from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.forecast import forecast_windows
from ddrsa.predict.decision import Decision
from ddrsa.predict.doubts import Doubts, find_doubts
from ddrsa.survival.hazard import log_survival, restricted_mean, survival
from ddrsa.survival.intervals import central_interval, quantile
from ddrsa.survival.rivals import intervenes, policy_score
from ddrsa.time_scale import TimeScale, Window
from ddrsa.trained import TrainedRun

# The times that are told as dates too.
_DATED = ("rul", "rul_lower", "rul_upper")


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts at R rows. Every table has these rows and the index (unit, cycle).

    logits: (R, L) of the hazards. index: unit, and the number of the row within it, from 1. time_to_event: (R,) the
    true one in steps, NaN where it is not known. doubts: about the R inputs. scale: in what times are told. times: (R,)
    of the rows, as the data have them; None where rows are cycles.
    """

    logits: Tensor
    index: pd.MultiIndex
    time_to_event: NDArray[np.float64]
    doubts: Doubts
    scale: TimeScale
    times: pd.Index | None = None

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

    def predictions(self, level: float = 0.8, windows: Sequence[Window] = ()) -> pd.DataFrame:
        """What is forecast at each row, in times of the unit of `scale`.

        `time` of the row, where rows have one; `rul`, the restricted mean E[min(tau, L)]; `rul_median`, `rul_lower`,
        `rul_upper`, NaN at the horizon or beyond; `time_unit`; where rows have dates `rul_date`, `rul_lower_date` and
        `rul_upper_date`; `failure_within_<window>`, the probability; `failure_probability` within the horizon;
        `time_to_event` where the failure was observed, if any was. NaN where the forecast is no number.

        level: of the central interval of the RUL.
        """
        lower, upper = central_interval(self.logits, level)
        steps = {
            "rul": _numbers(restricted_mean(self.logits)),
            "rul_median": self._inside_horizon(quantile(self.logits, 0.5)),
            "rul_lower": self._inside_horizon(lower),
            "rul_upper": self._inside_horizon(upper),
        }
        columns: dict[str, Any] = {} if self.times is None else {"time": self.times}
        columns |= {name: self.scale.told(values) for name, values in steps.items()}
        columns["time_unit"] = self.scale.unit
        if self.times is not None and self.scale.has_dates:
            # A mean that is cut at the horizon is no date of a failure that is more likely to come behind it.
            dated = {**steps, "rul": np.where(np.isnan(steps["rul_median"]), np.nan, steps["rul"])}
            columns |= {f"{name}_date": self.scale.later(self.times, dated[name]) for name in _DATED}
        log_survivals = log_survival(self.logits.double())
        columns |= {f"failure_within_{window.label}": _failed(log_survivals, window.steps) for window in windows}
        columns["failure_probability"] = _failed(log_survivals, self.horizon)
        if not np.isnan(self.time_to_event).all():
            columns["time_to_event"] = self.scale.told(self.time_to_event)
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


def last_rows(units: Sequences) -> NDArray[np.int64]:
    """(U,) the last row of each unit."""
    return np.append(units.starts[1:], units.num_rows) - 1


def rows_before_failure(units: Sequences, steps: int) -> NDArray[np.int64]:
    """(U,) the last row of each unit; of one that was seen to fail the row `steps` before, or else its first."""
    last = last_rows(units)
    early = np.where(units.event_observed[last], steps - units.time_to_event[last], 0).clip(min=0).astype(np.int64)
    return np.maximum(last - early, units.starts)


def forecast_units(
    run: TrainedRun,
    units: Sequences,
    rows: NDArray[np.int64],
    scale: TimeScale,
    names: pd.Index | None = None,
) -> Forecasts:
    """Forecasts at `rows` (R,) of `units`.

    units: U, as they were read: with all the features of the training, not scaled yet. names: (U,) of the units, else
    as their files call them. Raises DataError where a feature is missing.
    """
    logits = forecast_rows(run, run.scaled(units), rows)
    names = unit_names(units) if names is None else names
    unit_of_row = names[np.searchsorted(units.starts, rows, side="right") - 1]
    cycles = rows - units.unit_start_of_row[rows] + 1
    return Forecasts(
        logits,
        pd.MultiIndex.from_arrays([unit_of_row, cycles], names=["unit", "cycle"]),
        np.where(units.event_observed[rows], units.time_to_event[rows], np.nan),
        find_doubts(run, units, rows),
        scale,
        None if units.labels is None else units.labels.row_times(rows),
    )


def forecast_rows(run: TrainedRun, scaled: Sequences, rows: NDArray[np.int64]) -> Tensor:
    """Hazard logits (R, L) at `rows` (R,) of units whose features are scaled."""
    windows = Windows(scaled, run.config.lookback, run.device, ages=run.model.reads_age)
    return forecast_windows(run.model, windows, torch.from_numpy(rows).to(run.device))


def unit_names(units: Sequences) -> pd.Index:
    """(U,) what each unit is called; whole numbers where that is what the files have."""
    titles = units.unit_titles
    return pd.Index(units.unit_ids if titles == tuple(map(str, units.unit_ids)) else titles)


def _failed(log_survivals: Tensor, steps: int) -> NDArray[Any]:
    return _numbers(-log_survivals[:, steps - 1].expm1())


def _numbers(values: Tensor) -> NDArray[Any]:
    return np.asarray(values.double().cpu().numpy())

"""Forecasts of whole data splits, and of the units that policies are played on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel
from ddrsa.models.forecast import forecast_windows
from ddrsa.survival.conformal import Conformal, fit_conformal
from ddrsa.survival.policies import Lives
from ddrsa.survival.precision import where_float64_is


def forecast_rows(model: DDRSAModel, sequences: Sequences, lookback: int, device: torch.device) -> Tensor:
    """Hazard logits (N, L) at every row."""
    windows = Windows(sequences, lookback, device, ages=model.reads_age)
    return where_float64_is(forecast_windows(model, windows))


def whole_lives(logits: Tensor, sequences: Sequences) -> Lives:
    """The forecasts (N, L) of `sequences` at the rows of the units that were seen up to their failure."""
    ends = sequences.unit[sequences.event_observed & (sequences.time_to_event == 0)]
    rows = torch.from_numpy(np.flatnonzero(np.isin(sequences.unit, ends)))
    unit, time_to_event = (torch.from_numpy(np.array(values)) for values in (sequences.unit, sequences.time_to_event))
    return Lives(logits[rows.to(logits.device)], unit[rows], time_to_event[rows])


def independent_lives(logits: Tensor, units: Sequences) -> Lives:
    """The forecasts (N, L) of units that failed and have nothing to do with each other: of a group, one at random."""
    failed = np.intersect1d(units.unit_ids, units.unit[units.event_observed & (units.time_to_event == 0)])
    shuffled = np.random.default_rng(0).permutation(failed)
    group = dict(zip(units.unit_ids.tolist(), units.unit_groups.tolist(), strict=True))
    one_of_each = {group[unit]: unit for unit in shuffled.tolist()}
    if not one_of_each:
        return whole_lives(logits, units)
    rows = torch.from_numpy(np.isin(units.unit, list(one_of_each.values())))
    return whole_lives(logits[rows.to(logits.device)], units.select_units(sorted(one_of_each.values())))


def conformal_of(lives: Lives, units: str) -> Conformal | None:
    """Conformal intervals from `lives`, `units` as of `Conformal`; None where there are none."""
    if not len(lives.unit):
        return None
    unit, tau = lives.unit.cpu().numpy(), lives.time_to_event.double().cpu().numpy()
    return fit_conformal(lives.logits, unit, tau, units)

"""Fit of the correction to validation units, and their forecasts with a correction that was fitted on other units.

Units are few, and the windows of one share its failure: a plain maximum of the likelihood follows what these units
happened to do. So the fit is the mode of a posterior. Before any unit is seen offset and slope are normal around those
of the theory, and each unit says as much as one window that is independent of the others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from torch import Tensor

from ddrsa.survival.calibration.correction import (
    Calibration,
    log_odds,
    log_one_minus_exp,
    log_survival_from,
    with_log_odds,
)
from ddrsa.survival.hazard import log_survival
from ddrsa.survival.losses import event_inside, known_steps
from ddrsa.survival.precision import to_float64

Floats = NDArray[np.float64]

NUM_FOLDS = 5
# Standard deviations of offset and slope around the theory. Of those tried on validation units, out of fold: half and a
# third of these leave odds uncorrected that are wrong, none at all costs likelihood (docs/benchmarks.md).
SPREAD = (1.0, 0.5)
UNKNOWN = (math.inf, math.inf)
# What few units could drive to infinity, where they can be told apart without an error.
_SLOPES = (0.05, 20.0)
_OFFSETS = (-20.0, 20.0)


def fit_calibration(
    logits: Tensor,
    time_to_event: Tensor,
    event_observed: Tensor,
    unit: Tensor,
    *,
    theory: Calibration,
    spread: tuple[float, float] = SPREAD,
) -> Calibration:
    """The most probable offset and slope, by the likelihood of N windows and what `theory` says.

    q being left as it is, only F = P(tau < L) counts: -log F for an event inside the horizon, -log(1 - F) for a window
    that survives it, and -log(1 - F + F P(tau > c | tau < L)) for one that is censored after c cycles.

    Where not both events inside the horizon and survivals were seen it is `theory` as it is: the likelihood then has no
    minimum.

    Args: as of `negative_log_likelihood`; unit: (N,) the unit of each window. spread: around `theory`; infinite where
    it says nothing.
    """
    return _fit(_Windows(logits, time_to_event, event_observed, unit), theory, spread)


def out_of_fold(
    logits: Tensor,
    time_to_event: Tensor,
    event_observed: Tensor,
    unit: Tensor,
    *,
    theory: Calibration,
    spread: tuple[float, float] = SPREAD,
) -> Tensor:
    """Calibrated hazard logits, (N, L), each unit's by the fit on the units of the other folds.

    The units are dealt to NUM_FOLDS folds in the order of their numbers, with fewer units one to a fold. A single unit
    has no others: it gets `theory`.

    Args: as of `fit_calibration`.
    """
    windows = _Windows(logits, time_to_event, event_observed, unit)
    fold = windows.unit % NUM_FOLDS
    wanted = np.empty(len(fold))
    for each in np.unique(fold):
        inside = fold == each
        fitted = _fit(windows.at(~inside), theory, spread)
        wanted[inside] = fitted.slope * windows.log_odds[inside] + fitted.offset
    return with_log_odds(logits, torch.from_numpy(wanted).to(logits))


class _Windows:
    """What the likelihood of the correction needs of N windows; arrays (N,), float64; `unit` numbers units from 0."""

    def __init__(self, logits: Tensor, time_to_event: Tensor, event_observed: Tensor, unit: Tensor) -> None:
        horizon = logits.shape[-1]
        exact, tau, seen = to_float64(logits), time_to_event.cpu(), event_observed.cpu()
        event = event_inside(tau, seen, horizon)
        survived = known_steps(tau, seen, horizon)
        last = (survived - 1)[:, None].to(exact.device)
        odds = log_odds(exact)
        # log P(tau > c | tau < L) = log S[c] + log P(tau < L | tau > c) - log F
        later = log_survival(exact) + log_one_minus_exp(log_survival_from(exact))
        later = later.gather(-1, last).squeeze(-1) - torch.nn.functional.logsigmoid(odds)
        self.log_odds: Floats = odds.cpu().numpy()
        self.later: Floats = later.cpu().numpy()
        self.event: NDArray[np.bool_] = event.numpy()
        self.censored: NDArray[np.bool_] = (~event & (survived < horizon)).numpy()
        self.unit: NDArray[np.int64] = np.unique(unit.cpu().numpy(), return_inverse=True)[1]

    def at(self, chosen: NDArray[np.bool_]) -> _Windows:
        """The windows `chosen`, a mask."""
        part = object.__new__(_Windows)
        for name in ("log_odds", "later", "event", "censored", "unit"):
            setattr(part, name, getattr(self, name)[chosen])
        return part

    def loss(self, parameters: Floats) -> tuple[float, Floats]:
        """The mean negative log-likelihood and its derivatives by offset and slope."""
        offset, slope = parameters
        z = offset + slope * self.log_odds
        failing, surviving = log_expit(z), log_expit(-z)
        kept = np.where(self.censored, np.logaddexp(surviving, failing + self.later), surviving)
        loss = -np.where(self.event, failing, kept).mean()
        share = expit(z)
        # Of log(1 - F + F t): F (1 - F) (t - 1) / (1 - F + F t).
        of_kept = np.where(
            self.censored, np.exp(failing + surviving - kept) * np.expm1(np.minimum(self.later, 0)), -share
        )
        by_z = -np.where(self.event, 1 - share, of_kept)
        return float(loss), np.array([by_z.mean(), (by_z * self.log_odds).mean()])


def _fit(windows: _Windows, theory: Calibration, spread: tuple[float, float]) -> Calibration:
    survived = ~windows.event & (windows.later < 0)
    if not windows.event.any() or not survived.any():
        return theory
    num_units = len(np.unique(windows.unit))
    centre: Any = np.array([theory.offset, theory.slope])

    def posterior(parameters: Floats) -> tuple[float, Floats]:
        loss, gradient = windows.loss(parameters)
        away = (parameters - centre) / spread
        return loss + 0.5 * float(away @ away) / num_units, gradient + away / spread / num_units

    found = minimize(posterior, centre, jac=True, method="L-BFGS-B", bounds=[_OFFSETS, _SLOPES])
    if not np.isfinite(found.x).all():
        return theory
    return Calibration("fitted", offset=float(found.x[0]), slope=float(found.x[1]))

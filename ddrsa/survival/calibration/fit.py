"""Fit of the correction to validation units, and their forecasts with a correction that was fitted on other units.

Units are few, and the windows of one share its failure: a plain maximum of the likelihood follows what these units
happened to do. So the fit is the mode of a posterior. Before any unit is seen offset and slope are normal around those
of the theory, and each unit says as much as one window that is independent of the others.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

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
Bools = NDArray[np.bool_]

NUM_FOLDS = 5
# Standard deviations of offset and slope around the theory. Of those tried on validation units, out of fold: half and a
# third of these leave odds uncorrected that are wrong, none at all costs likelihood (docs/benchmarks.md).
SPREAD = (1.0, 0.5)
UNKNOWN = (math.inf, math.inf)
# What few units could drive to infinity, where they can be told apart without an error.
_SLOPES = (0.05, 20.0)
_OFFSETS = (-20.0, 20.0)


class FittingWindows:
    """The windows that a correction is fitted to: what its likelihood needs of them, computed once for all fits.

    Args: as of `negative_log_likelihood`; unit: (N,) the unit of each window.
    """

    def __init__(self, logits: Tensor, time_to_event: Tensor, event_observed: Tensor, unit: Tensor) -> None:
        horizon = logits.shape[-1]
        tau, seen = time_to_event.cpu(), event_observed.cpu()
        steps = known_steps(tau, seen, horizon)
        event = event_inside(tau, seen, horizon)
        censored = ~event & (steps < horizon)
        # Precise enough as the forecasts in use have it: float64 for N L numbers costs as much as all the fits.
        odds = to_float64(log_odds(logits)).cpu()
        # log P(tau > c | tau < L) of the windows that are censored after c cycles.
        later = torch.full_like(odds, -math.inf)
        if censored.any():
            later[censored] = _log_later(logits[censored.to(logits.device)], steps[censored] - 1)
        self.logits = logits
        self._unit: NDArray[np.int64] = np.unique(unit.cpu().numpy(), return_inverse=True)[1]
        self._parts = _Parts(*(each.numpy() for each in (odds, later, event, censored)))

    def fit(self, theory: Calibration, spread: tuple[float, float] = SPREAD) -> Calibration:
        """The most probable offset and slope, by the likelihood of the windows and what `theory` says.

        q being left as it is, only F = P(tau < L) counts: -log F for an event inside the horizon, -log(1 - F) for a
        window that survives it, and -log(1 - F + F P(tau > c | tau < L)) for one that is censored after c cycles.

        Where not both events inside the horizon and survivals were seen it is `theory` as it is: the likelihood then
        has no minimum.

        spread: around `theory`; infinite where it says nothing.
        """
        return self._fit(np.ones(len(self._unit), dtype=np.bool_), theory, spread)

    def out_of_fold(self, theory: Calibration, spread: tuple[float, float] = SPREAD) -> Tensor:
        """Calibrated hazard logits, (N, L), each unit's by the fit on the units of the other folds.

        The units are dealt to NUM_FOLDS folds in the order of their numbers, with fewer units one to a fold. A single
        unit has no others: it gets `theory`. spread: as of `fit`.
        """
        fold, odds = self._unit % NUM_FOLDS, self._parts.log_odds
        wanted = np.empty(len(fold))
        for each in np.unique(fold):
            inside = fold == each
            fitted = self._fit(~inside, theory, spread)
            wanted[inside] = fitted.slope * odds[inside] + fitted.offset
        return with_log_odds(self.logits, *(torch.from_numpy(each).to(self.logits) for each in (wanted, odds)))

    def _fit(self, chosen: Bools, theory: Calibration, spread: tuple[float, float]) -> Calibration:
        parts = self._parts.at(chosen)
        survived = ~parts.event & (parts.later < 0)
        if not parts.event.any() or not survived.any():
            return theory
        num_units = len(np.unique(self._unit[chosen]))
        centre: Any = np.array([theory.offset, theory.slope])
        likelihood = _Likelihood(parts)

        def posterior(parameters: Floats) -> tuple[float, Floats]:
            loss, gradient = likelihood(parameters)
            away = (parameters - centre) / spread
            return loss + 0.5 * float(away @ away) / num_units, gradient + away / spread / num_units

        found = minimize(posterior, centre, jac=True, method="L-BFGS-B", bounds=[_OFFSETS, _SLOPES])
        if not np.isfinite(found.x).all():
            return theory
        return Calibration("fitted", offset=float(found.x[0]), slope=float(found.x[1]))


class _Parts(NamedTuple):
    """Of n windows, (n,) each: log odds of F; log P(tau > c | tau < L), -inf where nothing is censored; which are
    events inside the horizon, and which are censored."""

    log_odds: Floats
    later: Floats
    event: Bools
    censored: Bools

    def at(self, chosen: Bools) -> _Parts:
        """The windows `chosen`, a mask."""
        return _Parts(self.log_odds[chosen], self.later[chosen], self.event[chosen], self.censored[chosen])


class _Likelihood:
    """Called with (offset, slope): the mean negative log-likelihood, and its derivatives by both."""

    def __init__(self, parts: _Parts) -> None:
        self.num_windows = len(parts.log_odds)
        known = ~parts.censored
        self.sign = np.where(parts.event[known], 1.0, -1.0)
        self.log_odds, self.of_censored = parts.log_odds[known], parts.log_odds[parts.censored]
        self.later = parts.later[parts.censored]

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        offset, slope = parameters
        z = self.sign * (offset + slope * self.log_odds)
        loss = -log_expit(z).sum()
        by_z = -self.sign * expit(-z)
        gradient = np.array([by_z.sum(), by_z @ self.log_odds])
        if len(self.later):
            z = offset + slope * self.of_censored
            failing, surviving = log_expit(z), log_expit(-z)
            kept = np.logaddexp(surviving, failing + self.later)
            loss -= kept.sum()
            # Of log(1 - F + F t): F (1 - F) (t - 1) / (1 - F + F t).
            by_z = -np.exp(failing + surviving - kept) * np.expm1(np.minimum(self.later, 0))
            gradient += [by_z.sum(), by_z @ self.of_censored]
        return float(loss / self.num_windows), gradient / self.num_windows


def _log_later(logits: Tensor, last: Tensor) -> Tensor:
    """log P(tau > c | tau < L), (n,) on the CPU, from hazard logits (n, L); last: (n,) c."""
    exact = to_float64(logits)
    # log S[c] + log P(tau < L | tau > c) - log F
    found = log_survival(exact) + log_one_minus_exp(log_survival_from(exact))
    found = found.gather(-1, last[:, None].to(exact.device)).squeeze(-1)
    return (found - torch.nn.functional.logsigmoid(log_odds(exact))).cpu()

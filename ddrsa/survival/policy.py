"""OTI, the optimally timed intervention: when to stop a machine, given its forecast hazards and the cost of a failure.

Source: section 4 of "When to Intervene: Learning Optimal Intervention Policies for Critical Events", NeurIPS 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ddrsa.survival.hazard import log_survival

# Forecasts at a time: what is computed in float64 then takes some tens of megabytes.
_FORECASTS_AT_ONCE = 16_384


def intervene(logits: Tensor, cost: float) -> Tensor:
    """Whether to intervene now, bool, (...), from hazard logits (..., L) and the cost C of missing the failure.

    Solves the stopping problem by backward induction over k = L-1 .. 0, with V[L] = 0:

        stop      s[k] = sum_{i=k}^{L-1} prod_{m=k}^{i} (1 - h[m])    the useful life given up
        continue  c[k] = h[k] C + (1 - h[k]) V[k+1]
        value     V[k] = min(s[k], c[k])

    and intervenes where s[0] <= c[0]. The sum is carried as s[k] = (1 - h[k]) (1 + s[k+1]), s[L] = 0.
    A larger C raises every c[k] and leaves every s[k]: it never intervenes later.
    """
    stop, go_on = stopping_costs(logits, cost)
    return stop <= go_on


def stopping_costs(logits: Tensor, cost: float) -> tuple[Tensor, Tensor]:
    """s[0] and c[0] of `intervene`, each (...), float64, in cycles."""
    # float64, because a hazard of 1e-9 over a long horizon decides between two nearly equal costs.
    logits = logits.double()
    hazard = logits.sigmoid()
    not_hazard = logsigmoid(-logits).exp()
    stop = torch.zeros_like(hazard[..., 0])
    value = torch.zeros_like(stop)
    go_on = value
    for k in range(logits.shape[-1] - 1, -1, -1):
        stop = not_hazard[..., k] * (1 + stop)
        go_on = hazard[..., k] * cost + not_hazard[..., k] * value
        value = torch.minimum(stop, go_on)
    return stop, go_on


def critical_cost(logits: Tensor) -> Tensor:
    """The smallest C at which `intervene` says so, (...), float64, in cycles; infinite where none does.

    Within one forecast nothing new is learned, so a policy is a step k = 1 .. L at which it stops, and continuing is
    worth the best of them: the failure comes first with probability 1 - S[k-1], or sum_{i>=k} S[i] is given up.
    Stopping now gives up sum_{i>=0} S[i], which is no more than any of these for

        C >= max_k sum_{i<k} S[i] / (1 - S[k-1])

    The fraction is the expected time that is used until step k per probability of failing before it. So one pass over
    the forecasts decides for all costs at once.
    """
    parts = [_critical_cost(part) for part in logits.reshape(-1, logits.shape[-1]).split(_FORECASTS_AT_ONCE)]
    return torch.cat(parts).reshape(logits.shape[:-1])


def _critical_cost(logits: Tensor) -> Tensor:
    log_survivals = log_survival(logits.double())
    # expm1, because 1 - S would lose a small probability of failure.
    return (log_survivals.exp().cumsum(-1) / -log_survivals.expm1()).amax(-1)

"""OTI, the optimally timed intervention: when to stop a machine, given its forecast hazards and the cost of a failure.

Source: section 4 of "When to Intervene: Learning Optimal Intervention Policies for Critical Events", NeurIPS 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class InterventionOutcome:
    """What a policy did on whole units that ran to failure.

    cost: C, the cost of missing a failure, in cycles of useful life.
    miss_rate: the share of units that failed before the policy intervened.
    mean_time_to_event: the mean useful life given up at the interventions, in cycles; None where all were missed.
    """

    cost: float
    miss_rate: float
    mean_time_to_event: float | None


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


def evaluate_policy(logits: Tensor, unit: Tensor, time_to_event: Tensor, cost: float) -> InterventionOutcome:
    """Play the policy along each unit's life: it intervenes at the unit's first row where `intervene` says so.

    A unit is missed if that never happens while tau >= 1.

    Args:
        logits: forecasts of every row of whole units whose failure was seen, (N, L).
        unit: the unit of each row, (N,); a unit's rows in the order of time.
        time_to_event: tau of each row in cycles, (N,).
        cost: C, in cycles.
    """
    chosen = intervene(logits, cost) & (time_to_event >= 1)
    units, number_of_unit = torch.unique(unit, return_inverse=True)
    # The first intervention along a life is the one with the largest time to event.
    first = torch.full((len(units),), -1.0, dtype=torch.float64, device=logits.device)
    first.scatter_reduce_(0, number_of_unit[chosen], time_to_event[chosen].double(), "amax")
    caught = first >= 0
    return InterventionOutcome(
        cost=float(cost),
        miss_rate=float((~caught).double().mean()),
        mean_time_to_event=float(first[caught].mean()) if caught.any() else None,
    )

"""The Kaplan-Meier estimate of the lives as a model: a forecast from a unit's age alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ddrsa.models.base import DDRSAModel, ages

# Hazards are kept this far from 0 and 1: in no age is a failure impossible, or sure.
_LOWEST = 1e-6


class KaplanMeierDDRSA(DDRSAModel):
    """The hazard at each age, the same for all units: what no sensor is needed for.

    The Kaplan-Meier estimate has a hazard at the ages alone at which a unit failed, and would call any other age of a
    failure impossible. So failures and units at risk are both smoothed over neighbouring ages by a normal kernel
    (Ramlau-Hansen, "Smoothing counting process intensities by means of kernel functions", Annals of Statistics 11,
    1983). Beyond the oldest age the last hazard stays.

    hazard_logits: (A,) of the ages 1 .. A; a single one of 0 before `fit`.
    """

    reads_age = True
    steps_at_once = 1_000_000
    hazard_logits: Tensor

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.register_buffer("hazard_logits", torch.zeros(1))

    @property
    def num_parameters(self) -> int:
        return len(self.hazard_logits)

    def forward(self, windows: Tensor) -> Tensor:
        """Hazard logits (B, L) from windows (B, K, F + 1) with ages."""
        steps = torch.arange(self.horizon, device=windows.device)
        # Step 0 is the row itself: a failure there is one at this age.
        at = ages(windows)[:, None] - 1 + steps
        return self.hazard_logits[at.clamp(max=len(self.hazard_logits) - 1)]

    def fit(self, last_age: Tensor, failed: Tensor, bandwidth: float) -> None:
        """Estimate from lives.

        Args:
            last_age: (U,) int64, the age of each unit's last row, from 1. failed: (U,) bool, whether it failed there.
            bandwidth: the standard deviation of the kernel, in rows.
        """
        oldest = int(last_age.max())
        age = torch.arange(1, oldest + 1, dtype=torch.float64)
        failures = torch.bincount(last_age[failed], minlength=oldest + 1)[1:].double()
        at_risk = (last_age[None] >= age[:, None]).sum(1).double()
        kernel = torch.exp(-(((age[:, None] - age) / bandwidth) ** 2) / 2)
        hazard = (kernel @ failures) / (kernel @ at_risk)
        self.hazard_logits = torch.logit(hazard.clamp(_LOWEST, 1 - _LOWEST)).float().to(self.hazard_logits.device)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        found = state_dict.get(f"{prefix}hazard_logits")
        # As many ages as the training units had.
        if isinstance(found, Tensor) and found.ndim == 1 and len(found) and found.isfinite().all():
            self.hazard_logits = torch.zeros(len(found), device=self.hazard_logits.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

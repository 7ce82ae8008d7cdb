"""Correction of a forecast's odds of an event inside the horizon, in log space: hazards in, hazards out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ddrsa.survival.calibration import METHODS
from ddrsa.survival.hazard import log_survival


@dataclass(frozen=True)
class Calibration:
    """The correction log odds of F -> `slope` * (log odds of F) + `offset`, F = P(tau < L); q is left as it is.

    method: one of METHODS, where the two numbers come from. Called with hazard logits (..., L), it returns those of the
    calibrated forecast.

    >>> Calibration("odds", offset=math.log(0.25))(torch.zeros(1)).exp()  # even odds become 1 to 4
    tensor([0.2500])
    """

    method: str = "none"
    offset: float = 0.0
    slope: float = 1.0

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return self.offset == 0 and self.slope == 1

    def __call__(self, logits: Tensor) -> Tensor:
        if self.is_identity:
            return logits
        present = log_odds(logits)
        return with_log_odds(logits, self.slope * present + self.offset, present)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """What `to_dict` gave. Raises ValueError where it is something else."""
        if set(values) != {"method", "offset", "slope"} or values["method"] not in METHODS:
            raise ValueError(f"a calibration is expected, with a method of {', '.join(METHODS)}: {dict(values)!r}")
        offset, slope = float(values["offset"]), float(values["slope"])
        if not math.isfinite(offset) or not (math.isfinite(slope) and slope > 0):
            raise ValueError(f"offset={offset}, slope={slope}: finite numbers are expected, and a slope above 0")
        return cls(str(values["method"]), offset, slope)


def exact_correction(lambda_param: float) -> Calibration:
    """The correction of what the DDRSA loss fits: odds times 1 - `lambda_param`, for `lambda_param` below 1.

    Exact for windows whose unit was seen to fail, whether inside the horizon or beyond; a window that was censored
    inside the horizon weighs the survival up to then as it does, and only nearly agrees.
    """
    return Calibration("odds", offset=math.log1p(-lambda_param))


def log_odds(logits: Tensor) -> Tensor:
    """log F - log(1 - F) of F = P(tau < L), (...), from hazard logits (..., L).

    >>> log_odds(torch.zeros(2))  # F is 3/4
    tensor(1.0986)
    """
    # log F as the log of the sum of all P(tau = k): no subtraction, so no cancellation.
    log_survivals = log_survival(logits)
    log_event = logits + log_survivals  # log_event_probability, without a second cumulative sum
    return torch.logsumexp(log_event, -1) - log_survivals[..., -1]


def log_survival_from(logits: Tensor) -> Tensor:
    """log P(tau >= L | tau > k), (..., L), from hazard logits (..., L); 0 at the last step."""
    steps = logsigmoid(-logits)
    # From the end, as differences of sums from the start would lose the small hazards behind a large one.
    from_here = steps.flip(-1).cumsum(-1).flip(-1)
    return torch.cat([from_here[..., 1:], torch.zeros_like(from_here[..., :1])], -1)


def log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x <= 0, any shape; -inf at 0. Maechler, "Accurately computing log(1 - exp(-|a|))", 2012."""
    small = x > -math.log(2)
    return torch.where(small, torch.log(-torch.expm1(x)), torch.log1p(-torch.exp(torch.where(small, -1.0, x))))


def with_log_odds(logits: Tensor, wanted: Tensor, present: Tensor) -> Tensor:
    """Hazard logits (..., L) of the forecast with the same q whose F has the log odds `wanted`, (...).

    present: (...) the `log_odds` of `logits`.

    With c the ratio of new to old odds and R[k] = P(tau >= L | tau > k), the odds of hazard k are divided by
    1 - R[k] + R[k] / c.
    """
    ratio = (wanted - present)[..., None]
    rest = log_survival_from(logits)
    return logits - torch.logaddexp(log_one_minus_exp(rest), rest - ratio)

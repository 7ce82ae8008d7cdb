"""From hazard logits to survival, event probabilities and the restricted mean.

Step k of a forecast is k cycles after the row it was made at, k = 0 .. L-1 (L the horizon):

    hazard                h[k] = P(tau = k | tau >= k) = sigmoid(logits[k])
    survival              S[k] = P(tau > k)            = prod_{m <= k} (1 - h[m])
    event probability     p[k] = P(tau = k)            = h[k] S[k-1]
    restricted mean       E[min(tau, L)]               = sum_{k < L} S[k]

All is computed from the logits in log space, so that a hazard near 0 or 1 loses no digits.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def log_survival(logits: Tensor) -> Tensor:
    """log S[k], shape (..., L), from hazard logits of shape (..., L).

    >>> import torch
    >>> log_survival(torch.zeros(3)).exp()
    tensor([0.5000, 0.2500, 0.1250])
    """
    return logsigmoid(-logits).cumsum(-1)


def survival(logits: Tensor) -> Tensor:
    """S[k] = P(tau > k), shape (..., L), from hazard logits of shape (..., L)."""
    return log_survival(logits).exp()


def log_event_probability(logits: Tensor) -> Tensor:
    """log P(tau = k), shape (..., L), from hazard logits of shape (..., L).

    log h[k] + log S[k-1] = logits[k] + log S[k], because the logit is log h[k] - log(1 - h[k]).

    >>> import torch
    >>> log_event_probability(torch.zeros(3)).exp()
    tensor([0.5000, 0.2500, 0.1250])
    """
    return logits + log_survival(logits)


def restricted_mean(logits: Tensor) -> Tensor:
    """E[min(tau, L)] in cycles, shape (...), from hazard logits of shape (..., L). This is the RUL prediction.

    >>> import torch
    >>> restricted_mean(torch.full((4,), -100.0))  # nothing ever fails: the whole horizon
    tensor(4.)
    """
    return survival(logits).sum(-1)

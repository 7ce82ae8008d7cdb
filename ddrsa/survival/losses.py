"""Losses of the training: that of DDRSA, the likelihood, and the terms that can be added to either.

Source of the first: Damera Venkata and Bhattacharyya, "When to Intervene: Learning Optimal Intervention Policies for
Critical Events", NeurIPS 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ddrsa.survival.hazard import log_event_probability, log_survival, restricted_mean

# From a forecast that is this many cycles off the penalty goes on as a straight line: exp(100 / 10) is a large but
# finite number with a finite gradient, exp(d / 10) of a long horizon is not.
NASA_PENALTY_LIMIT = 100.0
# DeepHit's sigma: how fast the ranking loss of a pair falls with the difference of the two probabilities.
RANKING_SCALE = 0.1


def event_inside(time_to_event: Tensor, event_observed: Tensor, horizon: int) -> Tensor:
    """Whether a window's event is seen inside the horizon, bool, (B,)."""
    return event_observed & (time_to_event < horizon)


def known_steps(time_to_event: Tensor, event_observed: Tensor, horizon: int) -> Tensor:
    """c', the number of steps that a window without an event inside the horizon is known to survive, shape (B,), int64.

    L for an event beyond the horizon; min(c + 1, L) for a censored unit that was seen for another c cycles.
    """
    censored = (time_to_event + 1).clamp(max=horizon)
    return torch.where(event_observed, horizon, censored).long()


def ddrsa_losses(logits: Tensor, time_to_event: Tensor, event_observed: Tensor, lambda_param: float) -> Tensor:
    """The DDRSA loss of each window, (B,): equation 12 of Damera Venkata and Bhattacharyya, NeurIPS 2022.

    For a window whose event is seen inside the horizon (tau < L):
    `lambda_param` * (-log P(tau)) + (1 - `lambda_param`) * (-log (1 - S[L-1])).
    For any other window: (1 - `lambda_param`) * (-log S[c'-1]), c' as in `known_steps`.

    Args:
        logits: hazard logits, (B, L).
        time_to_event: tau in cycles, or for a censored unit the cycles it was still seen for, (B,).
        event_observed: whether the unit's failure was seen, bool, (B,).
        lambda_param: the weight of the time of the event against whether there is one, in [0, 1].
    """
    horizon = logits.shape[-1]
    log_survivals = log_survival(logits)
    log_event = logits + log_survivals  # log_event_probability, without a second cumulative sum
    time_of_event = -_at(log_event, time_to_event.long().clamp(max=horizon - 1))
    # log(1 - S[L-1]) as the log of the sum of all P(tau = k): no subtraction, so no cancellation.
    any_event = -torch.logsumexp(log_event, -1)
    no_event = -_at(log_survivals, known_steps(time_to_event, event_observed, horizon) - 1)
    return torch.where(
        event_inside(time_to_event, event_observed, horizon),
        lambda_param * time_of_event + (1 - lambda_param) * any_event,
        (1 - lambda_param) * no_event,
    )


def negative_log_likelihood(logits: Tensor, time_to_event: Tensor, event_observed: Tensor) -> Tensor:
    """-log P(tau) for events inside the horizon, -log S[c'-1] for the others, (B,); arguments as in `ddrsa_losses`."""
    horizon = logits.shape[-1]
    return -torch.where(
        event_inside(time_to_event, event_observed, horizon),
        _at(log_event_probability(logits), time_to_event.long().clamp(max=horizon - 1)),
        _at(log_survival(logits), known_steps(time_to_event, event_observed, horizon) - 1),
    )


def _at(values: Tensor, step: Tensor) -> Tensor:
    """values[b, step[b]], (B,), from (B, L) and (B,)."""
    return values.gather(-1, step[:, None]).squeeze(-1)


def nasa_penalty(error: Tensor) -> Tensor:
    """The asymmetric penalty of each prediction, Saxena et al., "Damage Propagation Modeling", PHM 2008.

    exp(-d / 13) - 1 for a prediction that is early (d < 0), exp(d / 10) - 1 for one that is late; beyond
    NASA_PENALTY_LIMIT cycles their tangents, so that the worst predictions keep a gradient.

    Args:
        error: d = predicted minus true time to event in cycles, any shape.

    >>> nasa_penalty(torch.tensor([-13.0, 0.0, 10.0]))
    tensor([1.7183, 0.0000, 1.7183])
    """
    exponent = torch.where(error < 0, -error / 13, error / 10)
    limit = torch.where(error < 0, NASA_PENALTY_LIMIT / 13, NASA_PENALTY_LIMIT / 10)
    kept = torch.minimum(exponent, limit)
    return torch.expm1(kept) + kept.exp() * (exponent - kept)


def nasa_penalties(logits: Tensor, time_to_event: Tensor, event_observed: Tensor) -> Tensor:
    """The NASA penalty of E[min(tau, L)] - tau of each window, (B,); 0 without an event inside the horizon.

    Args as in `ddrsa_losses`.
    """
    event = event_inside(time_to_event, event_observed, logits.shape[-1])
    # Windows that do not count get error 0, whose penalty is 0; a boolean index would make a GPU wait for the count.
    return nasa_penalty(torch.where(event, restricted_mean(logits) - time_to_event, 0.0))


def ranking_loss(logits: Tensor, time_to_event: Tensor, event_observed: Tensor) -> Tensor:
    """The mean over comparable pairs of exp(-(F(tau_i | i) - F(tau_i | j)) / RANKING_SCALE), ().

    F(t | i) is the probability of window i of failing by t. A pair is comparable where the event of i is seen inside
    the horizon and j is known to live longer. 0 without any.

    Args as in `ddrsa_losses`. Source: Lee et al., "DeepHit: A Deep Learning Approach to Survival Analysis with
    Competing Risks", AAAI 2018; there the sum is over the pairs.
    """
    event = event_inside(time_to_event, event_observed, logits.shape[-1])
    later = time_to_event[None, :] > time_to_event[:, None]
    # A censored window was alive at its last cycle: it lives longer than one that fails in that very cycle.
    later |= (time_to_event[None, :] == time_to_event[:, None]) & ~event_observed[None, :]
    comparable = event[:, None] & later
    failed = -log_survival(logits).expm1()
    at_event = time_to_event.long().clamp(max=logits.shape[-1] - 1)
    of_others = failed[:, at_event].T  # [i, j] = F(tau_i | j)
    difference = of_others.diagonal()[:, None] - of_others
    # Pairs that do not count get difference 0, so that nothing infinite meets their weight of 0.
    pairs = torch.exp(-torch.where(comparable, difference, 0.0) / RANKING_SCALE) * comparable
    return pairs.sum() / comparable.sum().clamp(min=1)


def training_loss(
    logits: Tensor,
    time_to_event: Tensor,
    event_observed: Tensor,
    lambda_param: float,
    nasa_weight: float,
    num_windows: int,
    num_events: Tensor | None,
    *,
    loss_name: str = "ddrsa",
) -> Tensor:
    """The mean of `ddrsa_losses` + `nasa_weight` * the mean of `nasa_penalties` over windows with an event.

    The means are those of a batch of which these windows may be a part: the losses of its parts add up to its loss.

    Args as in `ddrsa_losses`, and:
        nasa_weight: 0 for no penalty.
        num_windows: of the whole batch.
        num_events: the windows of the whole batch whose event is inside the horizon, a number, (); without a penalty
            it may be None.
        loss_name: ddrsa, or likelihood for `negative_log_likelihood` in the place of `ddrsa_losses`.
    """
    if loss_name == "likelihood":
        losses = negative_log_likelihood(logits, time_to_event, event_observed)
    else:
        losses = ddrsa_losses(logits, time_to_event, event_observed, lambda_param)
    loss = losses.sum() / num_windows
    if nasa_weight > 0:
        if num_events is None:
            raise ValueError("nasa_weight > 0 needs num_events")
        penalties = nasa_penalties(logits, time_to_event, event_observed)
        loss = loss + nasa_weight * penalties.sum() / num_events.clamp(min=1)
    return loss

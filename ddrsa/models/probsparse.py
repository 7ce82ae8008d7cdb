"""ProbSparse attention (Zhou et al., "Informer: Beyond Efficient Transformer for Long Sequence Time-Series
Forecasting", AAAI 2021, section "Efficient Self-attention Mechanism").

A query whose scores over the keys are all alike attends to the mean of the values, so only the u = c ln n queries whose
scores differ most are computed in full. How much a query's scores differ is measured by

    M(q, K) = max_j (q k_j / sqrt(d)) - mean_j (q k_j / sqrt(d))

over c ln n sampled keys. With n queries and n keys that takes O(n log n) time and memory.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ddrsa.survival.precision import to_float64

# Steps of Roberts' R2 sequence, a low-discrepancy sequence in two dimensions: 1 / p and 1 / p^2 with p^3 = p + 1.
R2_STEPS = (0.7548776662466927, 0.5698402909980532)


class Lengths(NamedTuple):
    """How many of the last positions of each window are real, (B,) or (1,) int64; None where all are."""

    queries: Tensor | None
    keys: Tensor | None


NO_PADDING = Lengths(None, None)


def probsparse_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    factor: int,
    *,
    lengths: Lengths = NO_PADDING,
    causal: bool = False,
    random_keys: bool = False,
) -> Tensor:
    """Attention (B, H, Q, D) of the queries (B, H, Q, D) over keys and values (B, H, T, D).

    The c ln n most selective of a window's n real queries attend; the others get the mean of the values they may see.
    (The published code gives causal ones the sum, which grows with the position; the mean is what a query with equal
    scores would get, in both cases.) Where c ln n >= n, that is full attention.

    Args:
        factor: c.
        lengths: of what is not padding, at the end. Padded keys are not seen; what stands for padded queries means
            nothing. The result for a window does not depend on how much padding it has.
        causal: query i sees the keys up to i alone; as many queries as keys, and no padding.
        random_keys: sample the keys by torch's random generator, as in training; else by a fixed sequence that is
            spread evenly, so that the same window always gets the same result, alone or in a batch.
    """
    num_queries, num_keys = query.shape[2], key.shape[2]
    device = query.device
    real_queries = _or_all(lengths.queries, num_queries, device)
    real_keys = _or_all(lengths.keys, num_keys, device)
    query = query / math.sqrt(query.shape[-1])

    num_active = kept(num_queries, factor)
    if num_active < num_queries or lengths.queries is not None:
        padded = torch.arange(num_queries - 1, -1, -1, device=device) >= real_queries[:, None]
        measure = _sparsity_measure(query.detach(), key.detach(), real_keys, factor, causal, random_keys)
        # The most selective first, and of equals the last one, however much padding there is.
        order = measure.masked_fill(padded[:, None], -math.inf).flip(-1).argsort(dim=-1, descending=True, stable=True)
        active = num_queries - 1 - order[..., :num_active]
    else:
        active = torch.arange(num_queries, device=device).expand(*query.shape[:2], -1)

    # (B, H, u, T), with u of the order of log Q: the largest array.
    scores = _rows(query, active) @ key.transpose(-1, -2)
    positions = torch.arange(num_keys, device=device)
    hidden = (positions < num_keys - real_keys[:, None])[:, None, None]
    if causal:
        hidden = hidden | (positions > active[..., None])
    attended = scores.masked_fill(hidden, -math.inf).softmax(-1) @ value

    seen = value.masked_fill((positions < num_keys - real_keys[:, None])[:, None, :, None], 0.0)
    if causal:
        mean = seen.cumsum(2) / (positions + 1)[:, None]
    else:
        mean = (seen.sum(2) / real_keys[:, None, None]).unsqueeze(2).expand(-1, -1, num_queries, -1)
    # A window with more padding than another has fewer queries to keep.
    few = kept_of(real_queries, factor)
    keeps = (torch.arange(num_active, device=device) < few[:, None])[:, None, :, None]
    attended = torch.where(keeps, attended, _rows(mean, active))
    return mean.scatter(2, active[..., None].expand(-1, -1, -1, value.shape[-1]), attended)


def kept_of(lengths: Tensor, factor: int) -> Tensor:
    """u = c ln n rounded up, at least 1 and at most n, for each n of `lengths`, at least 1."""
    return (factor * to_float64(lengths).log()).ceil().long().to(lengths.device).clamp(min=1).minimum(lengths)


def kept(n: int, factor: int) -> int:
    """u for one n."""
    return min(n, max(1, math.ceil(factor * math.log(n))))


def _sparsity_measure(
    query: Tensor, key: Tensor, real_keys: Tensor, factor: int, causal: bool, random_keys: bool
) -> Tensor:
    """M (B, H, Q) over sampled keys."""
    num_queries, num_keys = query.shape[2], key.shape[2]
    device = query.device
    samples = kept(num_keys, factor)
    few = kept_of(real_keys, factor)
    # Counted from the end, so that padding moves nothing.
    from_end = torch.arange(num_queries - 1, -1, -1, device=device)
    visible = (num_keys - from_end).expand(1, -1) if causal else real_keys[:, None]  # (B or 1, Q)
    key = key.expand(query.shape[0], -1, -1, -1).contiguous()
    largest = torch.full(query.shape[:3], -math.inf, device=device)
    total = torch.zeros(query.shape[:3], device=device)
    for sample in range(samples):
        if random_keys:
            share = torch.rand(num_queries, device=device)
        else:
            share = ((to_float64(from_end) * R2_STEPS[0] + sample * R2_STEPS[1]) % 1).float().to(device)
        # Which key, counted from the last one that the query may see; (B or 1, Q).
        back = torch.minimum((share * visible).long(), visible - 1)
        position = (visible - 1 if causal else num_keys - 1) - back
        index = position[:, None].expand(query.shape[0], query.shape[1], -1)
        score = (query * _rows(key, index)).sum(-1)
        used = (sample < few)[:, None, None]
        largest = torch.where(used, torch.maximum(largest, score), largest)
        total = torch.where(used, total + score, total)
    return largest - total / few[:, None, None]


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """values[b, h, index[b, h, i]], (B, H, I, D), from (B, H, T, D) and (B, H, I)."""
    batch, heads, length, width = values.shape
    # As whole rows of one matrix; gather would go number by number.
    first = torch.arange(0, batch * heads * length, length, device=index.device).view(batch, heads, 1)
    return values.reshape(-1, width).index_select(0, (first + index).flatten()).unflatten(0, index.shape)


def _or_all(lengths: Tensor | None, total: int, device: torch.device) -> Tensor:
    return torch.full((1,), total, device=device) if lengths is None else lengths

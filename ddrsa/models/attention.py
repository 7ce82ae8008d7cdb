"""Multi-head attention of queries over a memory, full or ProbSparse."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ddrsa.models.probsparse import Lengths, probsparse_attention


class Attention(nn.Module):
    """Multi-head attention of queries (B or 1, Q, D) over memory (B, T, D); self-attention where memory is None.

    mask: (B, 1, 1, T), True for what may be seen of the memory; what may not stands at its beginning.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(d_model, d_model)
        self.key_value = nn.Linear(d_model, 2 * d_model)
        self.output = nn.Linear(d_model, d_model)

    def forward(self, queries: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        key, value = self.key_value(queries if memory is None else memory).chunk(2, -1)
        query, key, value = (
            x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (self.query(queries), key, value)
        )
        attended = self.attend(query.expand(key.shape[0], -1, -1, -1), key, value, mask, to_itself=memory is None)
        result: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return result

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, to_itself: bool) -> Tensor:  # noqa: ARG002
        """The attention of each head, (B, H, Q, D / H); `to_itself`: the queries lie where the keys do."""
        return scaled_dot_product_attention(query, key, value, attn_mask=mask)


class ProbSparseAttention(Attention):
    """As `Attention`, of the queries that are selective (`probsparse.py`).

    Args:
        factor: c; of n queries c ln n attend.
        causal: self-attention to the queries up to each alone.
    """

    def __init__(self, d_model: int, num_heads: int, factor: int, causal: bool = False) -> None:
        super().__init__(d_model, num_heads)
        self.factor, self.causal = factor, causal

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, to_itself: bool) -> Tensor:
        real = None if mask is None else mask.flatten(1).sum(1)
        return probsparse_attention(
            query,
            key,
            value,
            self.factor,
            lengths=Lengths(real if to_itself else None, real),
            causal=self.causal,
            random_keys=self.training,
        )

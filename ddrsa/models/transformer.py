"""The transformer DDRSA model: an encoder of the window, and a decoder with learned queries for steps of the horizon.

Layers are normalised first (Xiong et al., ICML 2020). Three choices keep a training step cheap:

- Rows enter in groups of `rows_per_token`, as patches do in PatchTST (Nie et al., ICLR 2023); attention costs fall with
  the square.
- A query may stand for several steps of the horizon, one after the other, and emits a hazard for each.
- Dropout acts on whole features of a residual branch, the same ones at every token (Gal and Ghahramani, NeurIPS 2016).
  There is none inside the attention, which would keep PyTorch from its fused kernels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ddrsa.models.attention import Attention, ProbSparseAttention
from ddrsa.models.base import DDRSAModel
from ddrsa.models.layers import FeatureDropout, FeedForward, positions_from_the_end


class TransformerDDRSA(DDRSAModel):
    """Hazard logits from a window by attention.

    What it says does not depend on the padding before a window: positions count backwards from the last row, and
    tokens that hold padding alone are masked.

    Args:
        num_features: F, without the channel that marks the padding.
        horizon: L.
        d_model: width of the tokens, even.
        num_heads: attention heads; divides `d_model`.
        num_encoder_layers, num_decoder_layers: layers.
        feedforward_size: inner width of the feed-forward blocks.
        rows_per_token: how many consecutive rows make one token.
        activation: relu or gelu, in the feed-forward blocks.
        steps_per_query: the steps of the horizon that one learned query stands for; of the last query, those beyond the
            horizon are left out.
        probsparse_factor: c of Informer's ProbSparse attention (`attention.py`), everywhere, the queries looking
            at earlier ones alone; None for full attention.
        dropout: of features in each residual branch.
    """

    def __init__(
        self,
        num_features: int,
        horizon: int,
        d_model: int,
        num_heads: int,
        num_encoder_layers: int,
        num_decoder_layers: int,
        feedforward_size: int,
        rows_per_token: int,
        activation: str,
        dropout: float,
        steps_per_query: int = 1,
        probsparse_factor: int | None = None,
    ) -> None:
        super().__init__()
        self.horizon = horizon
        self.num_queries = math.ceil(horizon / steps_per_query)

        def attention(causal: bool = False) -> Attention | ProbSparseAttention:
            if probsparse_factor is None:
                return Attention(d_model, num_heads)
            return ProbSparseAttention(d_model, num_heads, probsparse_factor, causal)

        self.steps_at_once = 7_680
        self.rows_per_token = rows_per_token
        self.embedding = nn.Linear((num_features + 1) * rows_per_token, d_model)
        sizes = (d_model, feedforward_size, activation, dropout)
        self.encoder = nn.ModuleList(EncoderLayer(attention(), *sizes) for _ in range(num_encoder_layers))
        self.memory_norm = nn.LayerNorm(d_model)
        # The same for all windows (1, Q, D): they become (B, Q, D) only where they meet the windows.
        self.queries = nn.Parameter(torch.randn(1, self.num_queries, d_model) / math.sqrt(d_model))
        self.decoder = nn.ModuleList(
            DecoderLayer(attention(causal=True), attention(), *sizes) for _ in range(num_decoder_layers)
        )
        self.output_norm = nn.LayerNorm(d_model)
        self.output = nn.Linear(d_model, steps_per_query)
        nn.init.zeros_(self.output.bias)

    def windows_at_once(self, lookback: int) -> int:
        return max(1, self.steps_at_once // (lookback + self.num_queries))

    def forward(self, windows: Tensor) -> Tensor:
        """Hazard logits (B, L) from windows (B, K, F + 1)."""
        windows = pad(windows, (0, 0, -windows.shape[1] % self.rows_per_token, 0))
        patches = windows.unflatten(1, (-1, self.rows_per_token))
        # (B, 1, 1, T): which tokens each query may look at. The last row of a patch is real if any of its rows is.
        mask = (patches[:, :, -1, -1] > 0)[:, None, None]
        tokens = self.embedding(patches.flatten(2))
        tokens = tokens + positions_from_the_end(tokens.shape[1], tokens.shape[2], tokens.device)
        for layer in self.encoder:
            tokens = layer(tokens, mask)
        memory = self.memory_norm(tokens)
        queries = self.queries
        for layer in self.decoder:
            queries = layer(queries, memory, mask)
        # (B, Q, S) hazards, those of a query one after the other.
        logits: Tensor = self.output(self.output_norm(queries)).flatten(1)
        return logits[:, : self.horizon]


class EncoderLayer(nn.Module):
    """Self-attention over the window's tokens, then a feed-forward block; (B, T, D) to (B, T, D)."""

    def __init__(
        self, attention: nn.Module, d_model: int, feedforward_size: int, activation: str, dropout: float
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = attention
        self.feedforward_norm = nn.LayerNorm(d_model)
        self.feedforward = FeedForward(d_model, feedforward_size, activation)
        self.dropout = FeatureDropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens), mask=mask))
        return tokens + self.dropout(self.feedforward(self.feedforward_norm(tokens)))


class DecoderLayer(nn.Module):
    """Self-attention among the queries, attention over the window, a feed-forward block.

    (B or 1, Q, D) to (B, Q, D): in the first layer they are the learned queries, the same for every window, and their
    self-attention is computed once for the batch.
    """

    def __init__(
        self,
        self_attention: nn.Module,
        attention: nn.Module,
        d_model: int,
        feedforward_size: int,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.self_attention_norm = nn.LayerNorm(d_model)
        self.self_attention = self_attention
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = attention
        self.feedforward_norm = nn.LayerNorm(d_model)
        self.feedforward = FeedForward(d_model, feedforward_size, activation)
        self.dropout = FeatureDropout(dropout)

    def forward(self, queries: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        queries = queries + self.dropout(self.self_attention(self.self_attention_norm(queries)))
        queries = queries + self.dropout(self.attention(self.attention_norm(queries), memory, mask))
        return queries + self.dropout(self.feedforward(self.feedforward_norm(queries)))

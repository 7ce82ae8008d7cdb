"""A training step of the transformer beside the plain construction from PyTorch's own encoder and decoder.

Forward, backward and AdamW step at K = 128, L = 100, batch 32 on one thread, alternately. The plain model has the same
widths, heads, layers and dropout, the dropout inside the attention included, as nn.TransformerEncoder and
nn.TransformerDecoder have it. Both with `rows_per_token` 2 (the default: half as many tokens) and with 1 (the same
tokens as the plain model).

    python benchmarks/transformer_step.py
"""

from __future__ import annotations

import statistics

import torch
from timing import alternate, median_ratio
from torch import Tensor, nn

from ddrsa.models.transformer import TransformerDDRSA

BATCH_SIZE, LOOKBACK, HORIZON, NUM_FEATURES = 32, 128, 100, 17
D_MODEL, NUM_HEADS, NUM_LAYERS, FEEDFORWARD_SIZE, DROPOUT = 64, 4, 2, 256, 0.1


class Plain(nn.Module):
    """The reference."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"dim_feedforward": FEEDFORWARD_SIZE, "dropout": DROPOUT, "batch_first": True, "norm_first": True}
        self.embedding = nn.Linear(NUM_FEATURES + 1, D_MODEL)
        self.positions = nn.Parameter(torch.zeros(LOOKBACK, D_MODEL))
        encoder_layer = nn.TransformerEncoderLayer(D_MODEL, NUM_HEADS, **sizes)
        self.encoder = nn.TransformerEncoder(encoder_layer, NUM_LAYERS, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(D_MODEL, NUM_HEADS, **sizes), NUM_LAYERS)
        self.queries = nn.Parameter(torch.randn(1, HORIZON, D_MODEL))
        self.output = nn.Linear(D_MODEL, 1)

    def forward(self, windows: Tensor) -> Tensor:
        padding = windows[..., -1] == 0
        memory = self.encoder(self.embedding(windows) + self.positions, src_key_padding_mask=padding)
        steps = self.decoder(self.queries.expand(len(windows), -1, -1), memory, memory_key_padding_mask=padding)
        logits: Tensor = self.output(steps).squeeze(-1)
        return logits


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    windows = torch.randn(BATCH_SIZE, LOOKBACK, NUM_FEATURES + 1)
    windows[..., -1] = 1
    windows[: BATCH_SIZE // 4, : LOOKBACK // 2] = 0  # a quarter of the windows starts with padding
    print(f"{'rows_per_token':>14} {'ours, ms':>10} {'plain, ms':>10} {'times as fast':>14}")
    for rows_per_token in (2, 1):
        ours = TransformerDDRSA(
            NUM_FEATURES,
            HORIZON,
            D_MODEL,
            NUM_HEADS,
            NUM_LAYERS,
            NUM_LAYERS,
            FEEDFORWARD_SIZE,
            rows_per_token,
            "relu",
            DROPOUT,
        )
        mine, plain = alternate(step_of(ours, windows), step_of(Plain(), windows), rounds=15)
        medians = (statistics.median(times) * 1e3 for times in (mine, plain))
        print(f"{rows_per_token:14} {next(medians):10.1f} {next(medians):10.1f} {median_ratio(plain, mine):14.2f}")


class step_of:  # noqa: N801  (a function with a state)
    """One training step of `model` at each call."""

    def __init__(self, model: nn.Module, windows: Tensor) -> None:
        self.model, self.windows = model.train(), windows
        self.optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self.model(self.windows).square().mean().backward()
        self.optimizer.step()


if __name__ == "__main__":
    main()

"""A training step of the transformer: beside the plain construction from PyTorch's layers, and beside fewer tokens.

    python benchmarks/transformer_step.py                  # CPU time of steps
    python benchmarks/transformer_step.py train --keep DIR # trainings on a simulated fleet; those that are there stay
    python benchmarks/transformer_step.py table --keep DIR # what they are like, paired with the default

Steps: forward, backward and AdamW at K = 128, L = 100, batch 32 on one thread, in turn. The plain model has the same
widths, heads, layers and dropout, the dropout inside the attention included, as nn.TransformerEncoder and
nn.TransformerDecoder have it. A way is ROWSxSTEPS, rows_per_token and steps_per_query; the first one is what the others
are compared with.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from paired_trainings import tabulate, train_all
from timing import alternate
from torch import Tensor, nn

from ddrsa.models.transformer import TransformerDDRSA
from ddrsa.training.allocator import keep_freed_memory

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["steps", "train", "table"], default="steps")
    parser.add_argument("--ways", nargs="+", default=["2x1", "1x1", "2x4", "4x1", "4x4"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--share", type=float, default=0.2, help="of 30 epochs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keep", type=Path, default=Path("transformer"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_freed_memory()
    torch.set_flush_denormal(True)
    data = {"simulated": ["model=transformer", "dataset.num_units=60", "lookback=64", "horizon=100", "batch_size=32"]}
    sizes = {way: tuple(map(int, way.split("x"))) for way in arguments.ways}
    if arguments.what == "train":
        ways = {
            way: [f"model.rows_per_token={rows}", f"model.steps_per_query={steps}"]
            for way, (rows, steps) in sizes.items()
        }
        train_all(data, ways, arguments.seeds, arguments.share, arguments.keep)
    elif arguments.what == "table":
        tabulate(list(data), arguments.ways, arguments.seeds, arguments.keep)
    else:
        measure(sizes, arguments.rounds)


def measure(sizes: dict[str, tuple[int, int]], rounds: int) -> None:
    """Fastest steps, in ms, and the ratios."""
    windows = torch.randn(BATCH_SIZE, LOOKBACK, NUM_FEATURES + 1)
    windows[..., -1] = 1
    windows[: BATCH_SIZE // 4, : LOOKBACK // 2] = 0  # a quarter of the windows starts with padding
    first = next(iter(sizes))
    step_of_first = step_of(transformer(*sizes[first]), windows)
    print(
        f"{'way':>6} {'here, ms':>9} {'plain, ms':>10} {'times as fast':>14} {first + ', ms':>9} {'times as fast':>14}"
    )
    for way, (rows, steps) in sizes.items():
        here = step_of(transformer(rows, steps), windows)
        plain = alternate(here, step_of(Plain(), windows), rounds, clock=time.process_time)
        beside = alternate(here, step_of_first, rounds, clock=time.process_time)
        (mine, theirs), (again, before) = ([min(times) * 1e3 for times in pair] for pair in (plain, beside))
        print(
            f"{way:>6} {mine:9.1f} {theirs:10.1f} {theirs / mine:14.2f} {before:9.1f} {before / again:14.2f}",
            flush=True,
        )


def transformer(rows_per_token: int, steps_per_query: int) -> TransformerDDRSA:
    """The model."""
    sizes = (D_MODEL, NUM_HEADS, NUM_LAYERS, NUM_LAYERS, FEEDFORWARD_SIZE, rows_per_token, "relu", DROPOUT)
    return TransformerDDRSA(NUM_FEATURES, HORIZON, *sizes, steps_per_query=steps_per_query)


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

"""What does an epoch of each model cost?

Per preset of conf/model: its weights, and the windows per second of training steps (forward, loss, backward, clipping,
optimizer) with the default hyperparameters, in CPU seconds of one thread, so that other programs count little. The
fastest of `--steps` steps; windows of 24 features and noise.

    python benchmarks/model_cost.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch.nn.utils import clip_grad_norm_

import ddrsa.task  # noqa: F401  (registers the schema)
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import parse_config
from ddrsa.models.build import build_model
from ddrsa.survival.losses import training_loss
from ddrsa.training.allocator import keep_freed_memory

CONF = Path(__file__).resolve().parent.parent / "conf"
NUM_FEATURES = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--lookback", type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    print(f"{'model':20} {'weights':>10} {'windows/s':>10} {'FD001 epoch, s':>15}")
    for name in arguments.models:
        measure(name, arguments.lookback, arguments.steps)


def measure(name: str, lookback: int, steps: int) -> None:
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        config = parse_config(compose("config", overrides=[f"model={name}", f"lookback={lookback}"]))
    torch.manual_seed(0)
    model = build_model(
        config.model, num_features=NUM_FEATURES, lookback=lookback, horizon=config.horizon, dropout=config.dropout
    )
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    batch_size = config.training.batch_size
    windows = torch.randn(batch_size, lookback, NUM_FEATURES + 1)
    windows[..., -1] = 1
    time_to_event = torch.randint(0, 200, (batch_size,)).float()
    observed = torch.ones(batch_size, dtype=torch.bool)
    num_events = (time_to_event < config.horizon).sum()
    num_parts = -(-batch_size // model.windows_at_once(lookback))

    def step() -> float:
        start = time.process_time()
        optimizer.zero_grad()
        # In parts, as the trainer does on a CPU.
        for part in torch.arange(batch_size).chunk(num_parts):
            loss = training_loss(
                model(windows[part]), time_to_event[part], observed[part], 0.75, 0.0, batch_size, num_events
            )
            loss.backward()
        clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        return time.process_time() - start

    step()
    rate = batch_size / min(step() for _ in range(steps))
    weights = sum(parameter.numel() for parameter in model.parameters())
    # The paper's split trains on 49 of the 100 engines of FD001: some 10,000 windows.
    print(f"{name:20} {weights:10,} {rate:10,.0f} {10_000 / rate:15.1f}", flush=True)


if __name__ == "__main__":
    main()

"""Apple's GPUs have no float64: on the device of the training nothing may need it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ddrsa.models.build import build_model
from ddrsa.models.options import (
    ModelOptions,
    ProbSparseOptions,
    RecurrentOptions,
    TemporalConvolutionOptions,
    TransformerOptions,
)
from ddrsa.survival.hazard import restricted_mean
from ddrsa.survival.losses import event_inside, negative_log_likelihood, training_loss
from ddrsa.survival.precision import to_float64

MODELS = [
    RecurrentOptions("gru", hidden_size=8, num_layers=1),
    RecurrentOptions("lstm_complex", hidden_size=8, num_layers=4),
    TransformerOptions("transformer", 16, 2, 2, 2, 32, rows_per_token=2, activation="relu"),
    ProbSparseOptions("probsparse", 16, 2, 2, 2, 32, rows_per_token=1, factor=1, activation="gelu"),
    TemporalConvolutionOptions("tcn", channels=8, kernel_size=2),
]


class WithoutFloat64(TorchDispatchMode):
    """In this block an operation that gives float64 is an error."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            assert not isinstance(leaf, Tensor) or leaf.dtype != torch.float64, f"{func} gives float64"
        return result


@pytest.mark.parametrize("options", MODELS, ids=lambda options: options.name)
def test_a_step_of_training(options: ModelOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where there is no float64, this goes to the CPU.
    monkeypatch.setattr("ddrsa.models.probsparse.to_float64", Tensor.float)
    model = build_model(options, num_features=3, lookback=20, horizon=7, dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    time, seen = torch.tensor([0.0, 3.0, 9.0, 2.0]), torch.tensor([True, True, True, False])
    with WithoutFloat64():  # type: ignore[no-untyped-call]
        logits = model(torch.randn(4, 20, 4))
        num_events = event_inside(time, seen, 7).sum()
        training_loss(logits, time, seen, 0.75, 0.1, num_windows=4, num_events=num_events).backward()
        optimizer.step()
        restricted_mean(logits)
        negative_log_likelihood(logits, time, seen)


def test_what_must_be_exact_is_float64_elsewhere() -> None:
    assert to_float64(torch.ones(2)).dtype == torch.float64

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, gelu, layer_norm, pad

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models import forecast as forecast_module
from ddrsa.models.forecast import forecast, forecast_windows
from ddrsa.models.tcn import CausalBlock, TemporalConvolutionDDRSA, blocks_to_see
from ddrsa.survival.hazard import restricted_mean


def build(lookback: int, kernel_size: int) -> TemporalConvolutionDDRSA:
    torch.manual_seed(0)
    return TemporalConvolutionDDRSA(
        num_features=3, lookback=lookback, horizon=7, channels=6, kernel_size=kernel_size, dropout=0.0
    )


def by_dilated_convolutions(model: TemporalConvolutionDDRSA, windows: Tensor, kernel_size: int) -> Tensor:
    """The forecast with every block computed at every row, by causal convolutions whose dilation grows."""
    rows = pad(windows.transpose(1, 2), (kernel_size - 1, 0))
    kernel = model.embedding.weight.unflatten(1, (kernel_size, windows.shape[-1])).transpose(1, 2)
    values = conv1d(rows, kernel, model.embedding.bias).transpose(1, 2)
    dilation = kernel_size
    for block in model.blocks:
        assert isinstance(block, CausalBlock)
        channels = values.shape[-1]
        # Linear weights of a group (position, channel) as a kernel (out, in, position).
        kernel = block.convolution.weight.unflatten(1, (kernel_size, channels)).transpose(1, 2)
        normed = layer_norm(values, (channels,), block.norm.weight, block.norm.bias)
        before = pad(normed.transpose(1, 2), (dilation * (kernel_size - 1), 0))
        convolved = conv1d(before, kernel, block.convolution.bias, dilation=dilation).transpose(1, 2)
        values = values + block.linear(gelu(convolved))
        dilation *= kernel_size
    return model.output(model.norm(values[:, -1]))


@pytest.mark.parametrize(("lookback", "kernel_size"), [(1, 2), (2, 2), (20, 2), (32, 2), (9, 3), (20, 3), (20, 5)])
def test_only_what_the_last_row_needs_is_the_whole_dilated_convolution(lookback: int, kernel_size: int) -> None:
    model = build(lookback, kernel_size)
    windows = torch.ones(4, lookback, 4)
    windows[..., :3] = torch.randn(4, lookback, 3)
    torch.testing.assert_close(model(windows), by_dilated_convolutions(model, windows, kernel_size))


@pytest.mark.parametrize(
    ("lookback", "kernel_size", "blocks"), [(1, 2, 1), (4, 2, 1), (5, 2, 2), (64, 2, 5), (65, 2, 6), (27, 3, 2)]
)
def test_as_many_blocks_as_see_the_lookback(lookback: int, kernel_size: int, blocks: int) -> None:
    assert blocks_to_see(lookback, kernel_size) == blocks


def test_rows_before_the_receptive_field_are_not_looked_at() -> None:
    model = build(8, 2)
    windows = torch.randn(2, 20, 4)
    windows[..., -1] = 1
    changed = windows.clone()
    changed[:, :12] = 5.0
    assert torch.equal(model(windows), model(changed))
    changed[:, 12] = 5.0
    assert not torch.allclose(model(windows), model(changed))


def test_untrained_model_expects_neither_a_failure_at_once_nor_none() -> None:
    windows = torch.ones(50, 20, 4)
    windows[..., :3] = torch.randn(50, 20, 3)
    torch.manual_seed(0)
    model = TemporalConvolutionDDRSA(3, lookback=20, horizon=100, channels=32, kernel_size=2, dropout=0.0)
    assert 30 < restricted_mean(model(windows)).mean() < 90


def windows_of_units(lengths: tuple[int, ...], lookback: int) -> Windows:
    generator = np.random.default_rng(0)
    unit = np.repeat(np.arange(len(lengths)), lengths)
    left = np.concatenate([np.arange(length)[::-1] for length in lengths])
    features = generator.normal(size=(len(unit), 3)).astype(np.float32)
    seen = np.ones(len(unit), np.bool_)
    sequences = Sequences(features, unit, left.astype(np.float32), seen, ("a", "b", "c"))
    return Windows(sequences, lookback)


@pytest.mark.parametrize(
    ("lookback", "kernel_size", "shared"),
    [
        *[(4, 2, True), (8, 2, True), (64, 2, True), (64, 4, True), (27, 3, True), (18, 3, True), (32, 4, True)],
        *[(128, 4, True), (48, 4, True), (20, 2, False), (20, 3, False), (30, 4, False), (1, 2, False)],
    ],
)
def test_forecasts_at_every_row_are_those_of_the_windows(lookback: int, kernel_size: int, shared: bool) -> None:
    model = build(lookback, kernel_size)
    windows = windows_of_units((1, 90, 3, 40, 151), lookback)
    assert model.reads_rows(lookback) == shared
    by_windows = forecast(model, (batch.windows for batch in windows.batches(50)))
    torch.testing.assert_close(forecast_windows(model, windows), by_windows, rtol=1e-6, atol=1e-6)
    last = torch.tensor([0, 90, 93])
    torch.testing.assert_close(forecast_windows(model, windows, last), by_windows[last], rtol=1e-6, atol=1e-6)


def test_a_pass_in_parts_is_the_whole_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(16, 2)
    windows = windows_of_units((70, 2, 50), 16)
    whole = forecast_windows(model, windows)
    monkeypatch.setattr(forecast_module, "ROWS_AT_ONCE", 7)
    torch.testing.assert_close(forecast_windows(model, windows), whole, rtol=1e-6, atol=1e-6)


def test_a_window_longer_than_the_model_sees_is_cut_in_the_pass_as_well() -> None:
    model = build(8, 2)
    windows = windows_of_units((30, 25), 19)
    by_windows = forecast(model, (batch.windows for batch in windows.batches(50)))
    assert model.reads_rows(19)
    torch.testing.assert_close(forecast_windows(model, windows), by_windows, rtol=1e-6, atol=1e-6)

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, gelu, layer_norm, pad

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

"""Segments of windows in training: the loss and the gradients of the windows one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ddrsa.data.segments import draw_segments
from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.tcn import TemporalConvolutionDDRSA
from ddrsa.survival.losses import event_inside, training_loss

HORIZON = 7


def windows_of_units(lengths: list[int], lookback: int, seed: int) -> Windows:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(len(lengths)), lengths)
    left = np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(np.float32)
    features = rng.normal(size=(len(unit), 2)).astype(np.float32)
    observed = np.repeat(rng.random(len(lengths)) < 0.7, lengths)
    return Windows(Sequences(features, unit, left, observed, ("a", "b")), lookback)


def gradients(model: nn.Module) -> list[Tensor]:
    found = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    return [gradient for gradient in found if gradient is not None]


def mean_loss(logits: Tensor, windows: Windows, index: Tensor) -> Tensor:
    known = windows.time_to_event[index], windows.event_observed[index]
    return training_loss(logits, *known, 0.75, 0.1, len(index), event_inside(*known, HORIZON).sum())


def in_segments(model: TemporalConvolutionDDRSA, windows: Windows, index: Tensor, segment: Tensor) -> Tensor:
    table = windows.table.to(next(model.parameters()).dtype)
    return model.in_segments(table, *windows.ends(index), segment, windows.lookback)


@settings(max_examples=30, deadline=None)
@given(
    lookback_and_kernel=st.sampled_from(
        [(2, 2), (4, 2), (8, 2), (16, 2), (9, 3), (18, 3), (27, 3), (32, 4), (64, 4), (25, 5), (40, 2)]
    ),
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    size=st.integers(1, 12),
    stride=st.integers(1, 9),
    count=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_loss_and_gradients_of_segments_are_those_of_their_windows(
    lookback_and_kernel: tuple[int, int], lengths: list[int], size: int, stride: int, count: int, seed: int
) -> None:
    lookback, kernel_size = lookback_and_kernel
    windows = windows_of_units(lengths, lookback, seed)
    torch.manual_seed(seed)
    # Of a window of 40 rows a model for 16 looks at no more than those.
    model = TemporalConvolutionDDRSA(2, 16 if lookback == 40 else lookback, HORIZON, 6, kernel_size, 0.0).double()
    assert model.reads_rows(lookback)
    segments = draw_segments(windows.rows_before, size, stride, torch.Generator().manual_seed(seed))
    first = seed % len(windows)
    index, segment = (part[first : first + count] for part in segments)

    logits = in_segments(model, windows, index, segment)
    loss = mean_loss(logits, windows, index)
    loss.backward()
    found = gradients(model)
    one_by_one = torch.cat([model(windows.gather(one).windows.double()) for one in index.split(1)])
    expected = mean_loss(one_by_one, windows, index)
    expected.backward()
    torch.testing.assert_close(logits, one_by_one, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-9)
    for here, there in zip(found, gradients(model), strict=True):
        torch.testing.assert_close(here, there, rtol=1e-8, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    size=st.integers(1, 12),
    stride=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
def test_an_epoch_has_each_window_once_in_segments_as_long_as_they_can_be(
    lengths: list[int], size: int, stride: int, seed: int
) -> None:
    windows = windows_of_units(lengths, 4, seed)
    index, number = draw_segments(windows.rows_before, size, stride, torch.Generator().manual_seed(seed))
    assert sorted(index.tolist()) == list(range(len(windows)))
    members = [index[number == one].tolist() for one in range(int(number[-1]) + 1)]
    assert torch.equal(number, number.sort().values)
    for rows in members:
        assert len(rows) <= size
        assert np.diff(rows).tolist() == [stride] * (len(rows) - 1)
        assert len(set(windows.unit[rows].tolist())) == 1
    chains = [len(range(first, length, stride)) for length in lengths for first in range(min(stride, length))]
    assert len(members) == sum(-(-length // size) for length in chains)


def test_segments_are_cut_and_shuffled_anew_each_time() -> None:
    windows = windows_of_units([30, 40], 4, 0)
    generator = torch.Generator().manual_seed(0)
    first, second = (draw_segments(windows.rows_before, 8, 1, generator) for _ in range(2))
    starts = [set(s.window[torch.cat([torch.tensor([True]), s.number.diff() > 0])].tolist()) for s in (first, second)]
    assert starts[0] != starts[1]
    assert first.window.tolist() != second.window.tolist()


def test_windows_of_a_segment_share_the_dropout_of_what_is_computed_once() -> None:
    torch.manual_seed(0)
    model = TemporalConvolutionDDRSA(2, 8, HORIZON, 64, 2, 0.5).train()
    windows = windows_of_units([30], 8, 0)
    seen: list[Tensor] = []
    model.get_submodule(f"blocks.{len(model.blocks) - 1}.norm").register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0].detach())
    )
    # The same window six times: in two segments of three.
    again = torch.full((6,), 20)
    logits = in_segments(model, windows, again, torch.tensor([0, 0, 0, 1, 1, 1]))
    (shared,) = seen
    # The two positions that the last block reads of the window, once for each segment, with two masks.
    assert len(shared) == 2 * 2
    assert not torch.allclose(shared[:2], shared[2:])
    # The last block and the output have a mask for each window.
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize("stride", [1, 4])
def test_what_windows_of_a_segment_have_in_common_is_computed_once(stride: int) -> None:
    model = TemporalConvolutionDDRSA(2, 64, HORIZON, 6, 4, 0.0)
    windows = windows_of_units([300], 64, 0)
    rows: list[int] = []
    model.embedding.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    ends = 100 + stride * torch.arange(32)
    in_segments(model, windows, ends, torch.zeros(32, dtype=torch.int64))
    # Each row from the first window's first group to the last window's last one; with a stride of the kernel size, each
    # fourth of them. One by one they would be 32 windows of 16 groups.
    assert rows == [60 + 32 if stride == 1 else 15 + 32]

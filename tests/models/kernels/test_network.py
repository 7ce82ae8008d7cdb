"""The compiled network against PyTorch's layers: outputs, gradients, dropout, threads, values that are not finite."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.models.kernels import choice, network, vectors
from ddrsa.models.kernels.choice import WINDOWS_OF_TILE, choose_kernel, takes_compiled_kernel
from ddrsa.models.options import KERNELS
from ddrsa.models.rnn import RecurrentDDRSA

Cell = Literal["gru", "lstm"]
TOLERANCE = 1e-5

CELLS: list[Cell] = ["lstm", "gru"]
# B, K, F, L, H, layers
shapes = st.tuples(*(st.integers(1, most) for most in (70, 12, 18, 20, 37, 3)))


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    difference = (ours.detach() - theirs.detach()).abs().max()
    return float(difference / theirs.detach().abs().max().clamp(min=1e-3))


def network_of(cell: Cell, shape: tuple[int, ...], dropout: float = 0.0) -> tuple[RecurrentDDRSA, Tensor]:
    """A model, and windows of which some begin with padding."""
    batch, lookback, features, horizon, units, layers = shape
    network_ = RecurrentDDRSA(cell, features, lookback, horizon, units, layers, dropout)
    windows = torch.randn(batch, lookback, features + 1)
    windows[: batch // 2, : lookback // 2] = 0
    return network_, windows


def results(network_: RecurrentDDRSA, windows: Tensor, kernel: str, wanted: Tensor) -> list[Tensor]:
    """The logits and all gradients."""
    choose_kernel(kernel)
    network_.zero_grad()
    logits = network_(windows)
    (logits * wanted).sum().backward()
    gradients = [parameter.grad.clone() for parameter in network_.parameters() if parameter.grad is not None]
    assert len(gradients) == len(list(network_.parameters()))
    return [logits.detach(), *gradients]


@pytest.fixture(autouse=True)
def _the_compiled_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_wanted", "auto")  # and back at the end


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(CELLS), shapes, st.integers(0, 99))
def test_outputs_and_gradients_are_those_of_pytorch(cell: Cell, shape: tuple[int, ...], seed: int) -> None:
    torch.manual_seed(seed)
    network_, windows = network_of(cell, shape)
    # All of one sign: the sum of the bias of the output would cancel, and have no digits left.
    wanted = torch.rand(shape[0], shape[3]) + 0.1
    theirs, ours = (results(network_, windows, kernel, wanted) for kernel in ("torch", "auto"))
    exact = results(copy.deepcopy(network_).double(), windows.double(), "torch", wanted.double())
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    for our, their, true in zip(ours, theirs, exact, strict=True):
        # Where sums within cancel, PyTorch's own float32 has not so many digits.
        bound = max(TOLERANCE, 4 * relative_error(their.double(), true))
        assert relative_error(our.double(), true) < bound
    choose_kernel("auto")
    with torch.no_grad():
        assert torch.equal(network_(windows), ours[0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1, 1), (128, 128, 24, 100, 16, 1), (33, 40, 3, 50, 20, 2)])
def test_the_shapes_that_matter(cell: Cell, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network_, windows = network_of(cell, shape)
    wanted = torch.randn(shape[0], shape[3])
    theirs, ours = (results(network_, windows, kernel, wanted) for kernel in ("torch", "auto"))
    assert max(map(relative_error, ours, theirs)) < TOLERANCE


@pytest.mark.parametrize("cell", CELLS)
def test_large_and_odd_values(cell: Cell) -> None:
    network_, _ = network_of(cell, (4, 2, 1, 3, 3, 1))
    rows = [[1e4, -1e4], [float("inf"), 0.0], [float("nan"), 0.0], [1e-30, 0.0]]
    windows = torch.tensor(rows)[..., None].expand(-1, -1, 2).contiguous()
    found = {}
    for kernel in KERNELS:
        choose_kernel(kernel)
        found[kernel] = network_(windows).detach()
    ours, theirs = found["auto"], found["torch"]
    assert torch.equal(ours.isnan(), theirs.isnan())  # a training that diverges is seen to
    kept = ~theirs.isnan()
    assert torch.allclose(ours[kept], theirs[kept], rtol=TOLERANCE, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_the_number_of_threads_changes_nothing(cell: Cell) -> None:
    torch.manual_seed(0)
    network_, windows = network_of(cell, (150, 11, 5, 9, 8, 2), dropout=0.3)
    wanted = torch.randn(150, 9)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            torch.manual_seed(7)
            found.append(results(network_, windows, "auto", wanted))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(map(torch.equal, other, found[0]))


def kept_by_hash(numbers: NDArray[np.int64], key: int, dropout: float) -> Tensor:
    """Which elements of those numbers dropout keeps, by numpy."""
    lower, upper = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32 & 0xFFFFFFFF)
    x = numbers.astype(np.uint32) ^ lower
    x = (x ^ x >> np.uint32(17)) * np.uint32(0xED5AD4BB) ^ upper
    x = (x ^ x >> np.uint32(11)) * np.uint32(0xAC4C1B51)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x31848BAB)
    x ^= x >> np.uint32(14)
    return torch.from_numpy(x >= round(dropout * 2**32))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_is_the_same_forward_and_backward(cell: Cell, layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, lookback, horizon, units, dropout = 40, 6, 5, 8, 0.4
    torch.manual_seed(3)
    network_, windows = network_of(cell, (batch, lookback, 4, horizon, units, layers), dropout)
    key = -(2**40) - 12345
    monkeypatch.setattr(torch, "randint", lambda *_: torch.tensor(key))
    ours = results(network_, windows, "auto", torch.ones(batch, horizon))

    def dropped(values: Tensor, layer: int, steps: int) -> Tensor:
        """Dropout of (B, steps, units) behind a layer, by the numbers of tile, layer, step, unit and window."""
        before = min(layer, layers) * lookback + max(0, layer - layers) * horizon
        window = np.arange(batch)[:, None, None]
        step, unit = np.arange(steps)[None, :, None], np.arange(units)
        row = window // 32 * layers * (lookback + horizon) + before + step
        kept = kept_by_hash((row * units + unit) * 32 + window % 32, key, dropout)
        return values * kept / (1 - dropout)

    # PyTorch's layers one by one, with the same masks.
    network_.zero_grad()
    values = windows
    for number in range(2 * layers):
        of = network_.encoder if number < layers else network_.decoder
        single = type(of)(values.shape[-1], units, bias=number >= layers, batch_first=True)
        names = [name for name, _ in single.named_parameters()]
        own: dict[str, Tensor] = {name: of.get_parameter(name.replace("_l0", f"_l{number % layers}")) for name in names}
        values, _ = torch.func.functional_call(single, own, (values,))
        if number == layers - 1:
            context = dropped(values[:, -1:], number, 1)
            values = context.expand(-1, horizon, -1)
        else:
            values = dropped(values, number, values.shape[1])
    logits = network_.output(values).squeeze(-1)
    logits.sum().backward()
    theirs = [logits.detach(), *(each.grad for each in network_.parameters() if each.grad is not None)]
    assert max(map(relative_error, ours, theirs)) < TOLERANCE


def test_as_much_is_dropped_as_was_asked_for() -> None:
    numbers = np.arange(200_000)
    for dropout in (0.1, 0.5):
        first, second = (kept_by_hash(numbers, key, dropout).double() for key in (5, 2**33 + 5))
        spread = (dropout * (1 - dropout) / len(numbers)) ** 0.5
        assert abs(float(first.mean()) - 1 + dropout) < 5 * spread
        both = torch.corrcoef(torch.stack([first, second, first.roll(1)]))
        assert float((both - torch.eye(3)).abs().max()) < 5 / len(numbers) ** 0.5


def model(cell: Cell, num_layers: int = 1, dropout: float = 0.0) -> RecurrentDDRSA:
    torch.manual_seed(1)
    return RecurrentDDRSA(cell, 3, 20, 7, hidden_size=6, num_layers=num_layers, dropout=dropout)


def test_dropout_is_used_in_training_alone() -> None:
    network = model("gru", num_layers=2, dropout=0.5)
    windows = torch.randn(8, 20, 4)
    assert not torch.equal(network(windows), network(windows))
    network.eval()
    assert torch.equal(network(windows), network(windows))


def test_what_the_kernels_do_not_know_is_left_to_pytorch() -> None:
    x = torch.zeros(2, 3, 4)
    assert takes_compiled_kernel(x, 16)
    assert not takes_compiled_kernel(x.double(), 16)
    assert not takes_compiled_kernel(x.to("meta"), 16)
    assert not takes_compiled_kernel(x, choice.MOST_UNITS + 1)
    assert not takes_compiled_kernel(x.requires_grad_(), 16)
    choose_kernel("torch")
    assert not takes_compiled_kernel(torch.zeros(2, 3, 4), 16)


def test_the_gradient_of_the_windows_can_be_had() -> None:
    windows = torch.randn(2, 20, 4, requires_grad=True)
    model("lstm")(windows).sum().backward()
    assert windows.grad is not None
    assert windows.grad.abs().max() > 0


@pytest.mark.parametrize("batch_size", [1, 31, 200])
def test_parts_of_a_batch_fill_the_lanes(batch_size: int) -> None:
    at_once = model("lstm").windows_at_once(20)
    assert at_once % WINDOWS_OF_TILE == 0
    wide = RecurrentDDRSA("gru", 3, batch_size, 7, hidden_size=128, num_layers=4, dropout=0.0)
    assert wide.windows_at_once(2000) == WINDOWS_OF_TILE
    assert vectors.TILE == WINDOWS_OF_TILE


def test_without_numba_a_line_says_what_that_costs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    choice._numba_is_there.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not takes_compiled_kernel(torch.zeros(2, 3, 4), 16)
    assert not takes_compiled_kernel(torch.zeros(2, 3, 4), 16)
    assert caplog.text.count("numba is not installed") == 1
    choice._numba_is_there.cache_clear()


def test_an_exported_model_uses_pytorch_s_layers() -> None:
    network = model("gru").eval()
    windows = torch.randn(2, 20, 4)
    exported = torch.export.export(network, (windows,)).module()
    assert relative_error(exported(windows), network(windows)) < TOLERANCE


def test_what_is_cached_is_of_the_present_sources() -> None:
    folder = Path(network.__file__).parent
    parts = b"".join((folder / f"{name}.py").read_bytes() for name in network.COMPILED)
    assert hashlib.sha256(parts).hexdigest()[:12] == network.PARTS

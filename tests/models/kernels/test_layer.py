"""The compiled layers against PyTorch's own: outputs, gradients, threads, and values that are not finite."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ddrsa.models.kernels import gru
from ddrsa.models.kernels.choice import choose_kernel, takes_compiled_kernel
from ddrsa.models.kernels.layer import Layer, run_layer
from ddrsa.models.rnn import RecurrentDDRSA

TOLERANCE = 1e-5

shapes = st.tuples(st.integers(1, 35), st.integers(1, 12), st.integers(1, 9), st.integers(1, 37))


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    difference = (ours.detach() - theirs.detach()).abs().max()
    return float(difference / theirs.detach().abs().max().clamp(min=1e-3))


@settings(max_examples=60, deadline=None)
@given(
    *(shapes, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 99)),
)
def test_outputs_and_gradients_are_those_of_pytorch(
    shape: tuple[int, int, int, int], bias: bool, constant: bool, every: bool, seed: int
) -> None:
    batch, steps, inputs, units = shape
    torch.manual_seed(seed)
    layer = nn.GRU(inputs, units, bias=bias, batch_first=True)
    x = torch.randn((batch, inputs) if constant else (batch, steps, inputs), requires_grad=True)
    parameters = list(layer.parameters())
    rows = x[:, None].expand(-1, steps, -1) if constant else x
    theirs = layer(rows)[0] if every else layer(rows)[0][:, -1]
    wanted = torch.randn_like(theirs)
    expected = [theirs, *torch.autograd.grad(theirs, [x, *parameters], wanted)]
    ours = run_layer(Layer(steps, constant, every), x, *parameters)
    found = [ours, *torch.autograd.grad(ours, [x, *parameters], wanted)]
    assert [each.shape for each in found] == [each.shape for each in expected]
    assert max(map(relative_error, found, expected)) < TOLERANCE
    with torch.no_grad():
        assert torch.equal(run_layer(Layer(steps, constant, every), x, *parameters), ours)


def test_large_and_odd_values() -> None:
    layer = nn.GRU(1, 3, batch_first=True)
    x = torch.tensor([[[1e4], [-1e4]], [[float("inf")], [0.0]], [[float("nan")], [0.0]], [[1e-30], [0.0]]])
    theirs = layer(x)[0]
    ours = run_layer(Layer(2, constant=False, every=True), x, *layer.parameters())
    assert torch.equal(ours.isnan(), theirs.isnan())  # a training that diverges is seen to
    kept = ~theirs.isnan()
    assert torch.allclose(ours[kept], theirs[kept], rtol=TOLERANCE, atol=1e-6)


def test_the_number_of_threads_changes_nothing() -> None:
    torch.manual_seed(0)
    layer = nn.GRU(5, 8, batch_first=True)
    x = torch.randn(70, 11, 5)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            states = run_layer(Layer(11, constant=False, every=True), x, *layer.parameters())
            results.append([states, *torch.autograd.grad(states.square().sum(), list(layer.parameters()))])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(map(torch.equal, other, results[0]))


def model(cell: Literal["gru", "lstm"], num_layers: int = 1, dropout: float = 0.0) -> RecurrentDDRSA:
    torch.manual_seed(1)
    return RecurrentDDRSA(cell, 3, 20, 7, hidden_size=6, num_layers=num_layers, dropout=dropout)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_the_model_is_the_same_by_both(num_layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from ddrsa.models.kernels import choice

    windows = torch.randn(19, 20, 4)
    found = {}
    for kernel in ("auto", "torch"):
        monkeypatch.setattr(choice, "_wanted", kernel)
        network = model("gru", num_layers)
        logits = network(windows)
        logits.square().mean().backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        found[kernel] = [logits.detach(), *gradients]
        assert len(gradients) == len(list(network.parameters()))
    assert max(map(relative_error, found["auto"], found["torch"])) < TOLERANCE


def test_dropout_between_layers_is_used_in_training_alone() -> None:
    network = model("gru", num_layers=2, dropout=0.5)
    windows = torch.randn(8, 20, 4)
    assert not torch.equal(network(windows), network(windows))
    network.eval()
    assert torch.equal(network(windows), network(windows))


def test_what_the_kernels_do_not_know_is_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddrsa.models.kernels import choice

    monkeypatch.setattr(choice, "_wanted", "auto")
    x = torch.zeros(2, 3, 4)
    assert takes_compiled_kernel(x, "gru", 16)
    assert not takes_compiled_kernel(x.double(), "gru", 16)
    assert not takes_compiled_kernel(x.to("meta"), "gru", 16)
    assert not takes_compiled_kernel(x, "gru", choice.MOST_UNITS + 1)
    assert not takes_compiled_kernel(x, "lstm", 16)
    choose_kernel("torch")
    assert not takes_compiled_kernel(x, "gru", 16)


def test_without_numba_a_line_says_what_that_costs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from ddrsa.models.kernels import choice

    monkeypatch.setattr(choice, "_wanted", "auto")
    choice._numba_is_there.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not takes_compiled_kernel(torch.zeros(2, 3, 4), "gru", 16)
    assert not takes_compiled_kernel(torch.zeros(2, 3, 4), "gru", 16)
    assert caplog.text.count("numba is not installed") == 1
    choice._numba_is_there.cache_clear()


def test_an_exported_model_uses_pytorch_s_layers() -> None:
    network = model("gru").eval()
    windows = torch.randn(2, 20, 4)
    exported = torch.export.export(network, (windows,)).module()
    assert relative_error(exported(windows), network(windows)) < TOLERANCE


def test_what_is_cached_is_of_the_present_sources() -> None:
    folder = Path(gru.__file__).parent
    parts = b"".join((folder / name).read_bytes() for name in ("products.py", "vectors.py"))
    assert hashlib.sha256(parts).hexdigest()[:12] == gru.PARTS

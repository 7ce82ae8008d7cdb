import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ddrsa.models.base import DDRSAModel
from ddrsa.models.build import build_model
from ddrsa.models.forecast import forecast
from ddrsa.models.options import (
    ModelOptions,
    ProbSparseOptions,
    RecurrentOptions,
    TemporalConvolutionOptions,
    TransformerOptions,
)

MODELS: dict[str, ModelOptions] = {
    "lstm": RecurrentOptions("lstm", hidden_size=8, num_layers=1),
    "lstm_complex": RecurrentOptions("lstm_complex", hidden_size=8, num_layers=4),
    "gru_complex": RecurrentOptions("gru_complex", hidden_size=8, num_layers=4),
    "lstm of two layers": RecurrentOptions("lstm", hidden_size=8, num_layers=2),
    "gru": RecurrentOptions("gru", hidden_size=8, num_layers=1),
    "gru of two layers": RecurrentOptions("gru", hidden_size=8, num_layers=2),
    "transformer": TransformerOptions("transformer", 16, 2, 2, 2, 32, rows_per_token=2, activation="relu"),
    "probsparse": ProbSparseOptions("probsparse", 16, 2, 2, 2, 32, rows_per_token=1, factor=1, activation="gelu"),
    "probsparse, two rows a token": ProbSparseOptions("probsparse", 16, 2, 2, 2, 32, 2, 1, "relu"),
    "tcn": TemporalConvolutionOptions("tcn", channels=8, kernel_size=2),
    "tcn of width 3": TemporalConvolutionOptions("tcn", channels=8, kernel_size=3),
    "transformer, a token per row": TransformerOptions("transformer", 16, 2, 2, 2, 32, 1, "gelu"),
    "transformer, three steps a query": TransformerOptions("transformer", 16, 2, 2, 2, 32, 2, "relu", 3),
    "probsparse, two steps a query": ProbSparseOptions("probsparse", 16, 2, 2, 2, 32, 1, 1, "gelu", 2),
}
every_model = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())


def build(options: ModelOptions, num_features: int = 3, horizon: int = 7, lookback: int = 20) -> DDRSAModel:
    torch.manual_seed(0)
    return build_model(options, num_features=num_features, lookback=lookback, horizon=horizon, dropout=0.2)


def padded(rows: Tensor, lookback: int) -> Tensor:
    """Windows (B, K, F + 1) of rows (B, n, F) with padding before them."""
    marked = torch.cat([rows, torch.ones(*rows.shape[:2], 1)], -1)
    return nn.functional.pad(marked, (0, 0, lookback - rows.shape[1], 0))


@every_model
def test_padding_changes_nothing(options: ModelOptions) -> None:
    model = build(options).eval()
    rows = torch.randn(4, 6, 3)
    expected = model(padded(rows, 6))
    for lookback in (7, 8, 31, 64):
        torch.testing.assert_close(model(padded(rows, lookback)), expected, rtol=1e-5, atol=1e-6)


@every_model
def test_padding_changes_no_gradient(options: ModelOptions) -> None:
    # Trained on it or not: the padding must not move the weights either.
    model = build(options).eval()
    rows = torch.randn(4, 6, 3)
    gradients = []
    for lookback in (6, 40):
        model.zero_grad()
        model(padded(rows, lookback)).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for short, long in zip(*gradients, strict=True):
        torch.testing.assert_close(short, long, rtol=1e-4, atol=1e-5)


@every_model
def test_real_rows_of_zeros_are_not_padding(options: ModelOptions) -> None:
    # In double precision, because an untrained RNN of four layers says little of what it saw.
    model = build(options).eval().double()
    rows = torch.randn(2, 4, 3)
    with_zeros = torch.cat([torch.zeros(2, 2, 3), rows], 1)
    assert not torch.allclose(model(padded(with_zeros, 6).double()), model(padded(rows, 6).double()), rtol=1e-9, atol=0)


@every_model
@settings(deadline=None, max_examples=8)
@example(1, 1, 1)
@example(33, 3, 20)
@given(lookback=st.integers(1, 40), horizon=st.integers(1, 40), num_features=st.integers(1, 6))
def test_any_size(options: ModelOptions, lookback: int, horizon: int, num_features: int) -> None:
    model = build(options, num_features, horizon, lookback)
    logits = model(padded(torch.randn(2, lookback, num_features), lookback))
    assert logits.shape == (2, horizon)
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@every_model
def test_every_row_counts(options: ModelOptions) -> None:
    model = build(options).eval()
    windows = padded(torch.randn(1, 5, 3), 6).requires_grad_()
    model(windows).sum().backward()
    assert windows.grad is not None
    assert (windows.grad[0, 1:, :3].abs().sum(-1) > 0).all()


@every_model
def test_forecast_is_without_dropout_and_leaves_the_mode(options: ModelOptions) -> None:
    model = build(options).train()
    windows = padded(torch.randn(10, 5, 3), 5)
    logits = forecast(model, windows.split(4))
    assert torch.equal(logits, forecast(model, windows.split(4)))
    assert not logits.requires_grad
    assert model.training
    assert not torch.equal(model(windows), logits)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_untrained_encoder_remembers_over_the_lookback(name: str) -> None:
    lookback = 100
    torch.manual_seed(0)
    options = RecurrentOptions(name, hidden_size=64, num_layers=1)
    model = build_model(options, num_features=1, lookback=lookback, horizon=2, dropout=0.0)
    encoder = model.encoder
    assert isinstance(encoder, nn.LSTM | nn.GRU)
    # What the gates keep of a state after a row of zeros, and so for how many rows.
    weights = encoder.weight_ih_l0
    assert isinstance(weights, Tensor)
    gate = weights.view(-1, 64, 2)[1, :, -1].detach().sigmoid()
    times = 1 / (1 - gate)
    assert times.min() >= 2 - 1e-4
    assert lookback / 2 < times.max() <= lookback


@pytest.mark.parametrize(("name", "cell"), [("lstm_complex", nn.LSTM), ("gru_complex", nn.GRU)])
def test_complex_preset_is_of_its_cell(name: str, cell: type[nn.RNNBase]) -> None:
    encoder = build(RecurrentOptions(name, hidden_size=8, num_layers=4)).encoder
    assert isinstance(encoder, cell)


def test_a_query_of_the_transformer_stands_for_consecutive_steps() -> None:
    options = TransformerOptions("transformer", 16, 2, 1, 1, 32, 2, "relu", steps_per_query=3)
    model = build(options).eval()
    assert (model.get_parameter("queries").shape[1], model.get_parameter("output.weight").shape[0]) == (3, 3)
    windows = padded(torch.randn(2, 5, 3), 6)
    with torch.no_grad():
        model.get_parameter("output.bias").copy_(torch.tensor([10.0, 20.0, 30.0]))
        model.get_parameter("output.weight").zero_()
    # The seven steps of the horizon; of the third query the last two are beyond it.
    assert model(windows).tolist() == [[10.0, 20.0, 30.0, 10.0, 20.0, 30.0, 10.0]] * 2


def test_one_step_a_query_has_the_weights_of_earlier_versions() -> None:
    shapes = {name: tuple(value.shape) for name, value in build(MODELS["transformer"], horizon=7).state_dict().items()}
    assert shapes["queries"] == (1, 7, 16)
    assert shapes["output.weight"] == (1, 16)
    assert shapes["output.bias"] == (1,)

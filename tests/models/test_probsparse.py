from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ddrsa.models.build import build_model
from ddrsa.models.options import ProbSparseOptions, TransformerOptions
from ddrsa.models.probsparse import Lengths, kept, probsparse_attention

ALL = 1000  # a factor with which c ln n is n and more for every n here


def heads(num_queries: int, num_keys: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(batch, 3, num_queries, 8), torch.randn(batch, 3, num_keys, 8), torch.randn(batch, 3, num_keys, 8)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_with_every_query_kept_it_is_full_attention(num_queries: int, num_keys: int, causal: bool) -> None:
    query, key, value = heads(num_queries, num_queries if causal else num_keys)
    torch.testing.assert_close(
        probsparse_attention(query, key, value, ALL, causal=causal),
        scaled_dot_product_attention(query, key, value, is_causal=causal),
    )


def test_with_every_query_kept_padded_keys_are_masked() -> None:
    query, key, value = heads(5, 9)
    real = torch.tensor([9, 4])
    mask = (torch.arange(9) >= 9 - real[:, None])[:, None, None]
    torch.testing.assert_close(
        probsparse_attention(query, key, value, ALL, lengths=Lengths(None, real)),
        scaled_dot_product_attention(query, key, value, attn_mask=mask),
    )


def by_definition(query: Tensor, key: Tensor, value: Tensor, factor: int, causal: bool) -> Tensor:
    """Query by query, where so few keys are left that the sample is all of them."""
    num_queries, num_keys = query.shape[2], key.shape[2]
    result = torch.empty(*query.shape[:3], value.shape[-1])
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            scores = query[b, h] @ key[b, h].T / math.sqrt(query.shape[-1])
            visible = [range(i + 1) if causal else range(num_keys) for i in range(num_queries)]
            measure = torch.stack([scores[i, list(v)].max() - scores[i, list(v)].mean() for i, v in enumerate(visible)])
            active = set(measure.topk(kept(num_queries, factor)).indices.tolist())
            for i, v in enumerate(visible):
                values = value[b, h, list(v)]
                result[b, h, i] = scores[i, list(v)].softmax(0) @ values if i in active else values.mean(0)
    return result


class EveryKey:
    """In place of the sampled keys: key number `sample` for every query, so that all keys are sampled once."""

    def __init__(self, num_keys: int) -> None:
        self.num_keys, self.sample = num_keys, -1

    def __call__(self, num_queries: int, device: Any) -> Tensor:  # noqa: ARG002
        self.sample += 1
        return torch.full((num_queries,), (self.sample + 0.5) / self.num_keys)


def test_selective_queries_attend_and_the_others_get_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    # 3 keys are all sampled (2 ln 3 > 2), of 40 queries 8 are kept.
    query, key, value = heads(40, 3)
    query = query * 3
    assert kept(3, 2) == 3
    assert kept(40, 2) == 8
    monkeypatch.setattr(torch, "rand", EveryKey(3))
    result = probsparse_attention(query, key, value, 2, random_keys=True)
    torch.testing.assert_close(result, by_definition(query, key, value, 2, causal=False))


def test_causal_queries_see_nothing_later() -> None:
    query, key, value = heads(30, 30)
    value.requires_grad_()
    result = probsparse_attention(query, key, value, 1, causal=True)
    for i in (0, 7, 29):
        (gradient,) = torch.autograd.grad(result[:, :, i].sum(), value, retain_graph=True)
        assert (gradient[:, :, i + 1 :] == 0).all()
        assert (gradient[:, :, : i + 1] > 0).all()
    # The first sees itself alone.
    torch.testing.assert_close(result[:, :, 0], value[:, :, 0])


def test_selection_prefers_selective_queries() -> None:
    # Query 13 matches one key strongly; the others are all but indifferent.
    query, key, value = heads(64, 64, batch=1)
    query, key = 0.01 * query, key / key.norm(dim=-1, keepdim=True)
    query[:, :, 13] = 1000 * key[:, :, 20]
    result = probsparse_attention(query, key, value, 1)
    torch.testing.assert_close(result[:, :, 13], value[:, :, 20], atol=1e-3, rtol=0)
    mean = value.mean(2)
    lazy = torch.isclose(result, mean[:, :, None]).all(-1).sum(-1)
    assert (lazy >= 64 - kept(64, 1)).all()


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 30), st.integers(0, 50), st.integers(1, 6))
def test_padding_changes_nothing(length: int, padding: int, factor: int) -> None:
    query, key, value = heads(length, length)
    expected = probsparse_attention(query, key, value, factor)
    # In a batch with windows that are full, too.
    query, key, value = (
        torch.cat([pad(x, (0, 0, padding, 0)), torch.randn(1, 3, length + padding, 8)]) for x in (query, key, value)
    )
    real = torch.tensor([length, length, length + padding])
    padded = probsparse_attention(query, key, value, factor, lengths=Lengths(real, real))
    torch.testing.assert_close(padded[:2, :, padding:], expected)


OPTIONS = ProbSparseOptions("probsparse", 16, 2, 2, 2, 32, rows_per_token=1, factor=1, activation="gelu")


def test_forecast_of_a_window_is_the_same_alone_in_a_batch_and_every_time() -> None:
    torch.manual_seed(0)
    model = build_model(OPTIONS, num_features=3, lookback=40, horizon=30, dropout=0.1).eval()
    windows = torch.randn(6, 40, 4)
    windows[..., -1] = 1
    windows[3, :25] = 0
    together = model(windows)
    for i in range(6):
        torch.manual_seed(i)
        torch.testing.assert_close(model(windows[i : i + 1]), together[i : i + 1])


def test_training_samples_keys_by_the_seed() -> None:
    model = build_model(OPTIONS, num_features=3, lookback=40, horizon=30, dropout=0.0).train()
    windows = torch.ones(2, 40, 4)
    windows[..., :3] = torch.randn(2, 40, 3)

    def forecasts(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return model(windows)

    assert torch.equal(forecasts(1), forecasts(1))
    assert any(not torch.equal(forecasts(1), forecasts(seed)) for seed in range(2, 6))


def test_model_with_every_query_kept_is_the_transformer_but_for_the_causal_steps() -> None:
    # With one step to forecast there is nothing to be causal about.
    def build(options: ProbSparseOptions | TransformerOptions) -> torch.nn.Module:
        torch.manual_seed(0)
        return build_model(options, num_features=3, lookback=20, horizon=1, dropout=0.0).eval()

    sizes = (16, 2, 2, 2, 32, 2)
    sparse = build(ProbSparseOptions("probsparse", *sizes, factor=ALL, activation="relu"))
    full = build(TransformerOptions("transformer", *sizes, activation="relu"))
    windows = torch.ones(4, 20, 4)
    windows[..., :3] = torch.randn(4, 20, 3)
    windows[1, :13] = 0
    torch.testing.assert_close(sparse(windows), full(windows))


class LargestTensor(TorchDispatchMode):
    """The size in numbers of the largest tensor that is made."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            # An expanded view takes no memory.
            if isinstance(leaf, Tensor) and leaf.numel():
                self.largest = max(self.largest, leaf.untyped_storage().nbytes() // leaf.element_size())
        return result


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_as_n_log_n(causal: bool) -> None:
    sizes = {}
    for n in (512, 4096):
        q, k, v = (x.requires_grad_() for x in heads(n, n, batch=1))
        with LargestTensor() as largest:  # type: ignore[no-untyped-call]
            probsparse_attention(q, k, v, 5, causal=causal, random_keys=True).sum().backward()
        sizes[n] = largest.largest
    # (heads) * u * n and no more; full attention would have heads * n * n: 64 times as much for 8 times the length.
    assert sizes[4096] == 3 * kept(4096, 5) * 4096
    assert sizes[4096] / sizes[512] < 8 * 1.5

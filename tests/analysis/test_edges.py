"""The edge of what was tried."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from ddrsa.analysis.edges import find_edge, is_logarithmic


@pytest.mark.parametrize(
    ("key", "value", "tried", "side", "suggested"),
    [
        ("batch_size", 32, [32, 64, 128], "lowest", (16, 8)),
        ("batch_size", 128, [128, 32, 64], "highest", (256, 512)),
        ("learning_rate", 0.01, [0.001, 0.003, 0.01], "highest", (0.03, 0.1)),
        ("lookback", 96, [32, 64, 96], "highest", (128, 160)),
        ("model.num_layers", 1, [1, 2], None, None),
        ("dropout", 0.4, [0.0, 0.2, 0.4], "highest", (0.6, 0.8)),
        ("dropout", 0.0, [0.0, 0.2, 0.4], None, None),
        ("lambda_param", 1.0, [0.5, 0.75, 1.0], None, None),
        ("nasa_weight", 0.2, [0.0, 0.1, 0.2], "highest", (0.3, 0.4)),
        ("batch_size", 64, [32, 64, 128], None, None),
        ("batch_size", 64, [64], None, None),
        ("schedule", "cosine", ["constant", "cosine"], None, None),
        ("flag", True, [True, False], None, None),
        ("grad_clip", 1.0, [None, 1.0], None, None),
    ],
)
def test_edges(key: str, value: Any, tried: list[Any], side: str | None, suggested: tuple[float, ...] | None) -> None:
    edge = find_edge(key, value, tried)
    if side is None:
        assert edge is None
    else:
        assert edge is not None
        assert (edge.side, edge.suggested, edge.count) == (side, suggested, len(tried))


def test_edge_of_a_search_is_a_margin() -> None:
    tried = [10 ** (-4 + i / 20) for i in range(41)]
    low, inside = find_edge("learning_rate", tried[1], tried), find_edge("learning_rate", tried[10], tried)
    assert low is not None
    assert (low.side, low.suggested[0]) == ("lowest", 5e-05)
    assert inside is None


@pytest.mark.parametrize("seed", range(5))
def test_scale_of_a_search(seed: int) -> None:
    generator = random.Random(seed)
    uniform = sorted(generator.uniform(0, 0.5) for _ in range(100))
    by_factors = sorted(math.exp(generator.uniform(math.log(1e-5), math.log(0.1))) for _ in range(100))
    assert not is_logarithmic(uniform)
    assert is_logarithmic(by_factors)

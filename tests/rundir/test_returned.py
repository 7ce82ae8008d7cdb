"""What is kept of what a task returned."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from ddrsa.rundir.returned import kept_value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.5, 1.5),
        (True, True),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (torch.tensor(2.5, requires_grad=True), 2.5),
        (torch.tensor([1, 2]), [1, 2]),
        ((1, "a"), [1, "a"]),
        ({"a": {"b": torch.tensor(0.25)}, 3: None}, {"a": {"b": 0.25}, "3": None}),
        (OmegaConf.create({"a": [1, 2]}), {"a": [1, 2]}),
    ],
    ids=repr,
)
def test_numbers_of_any_library_are_numbers(value: Any, kept: Any) -> None:
    found, left_out = kept_value(value)
    assert (found, left_out) == (kept, [])
    assert json.loads(json.dumps(found)) == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("value", "kept", "left_out"),
    [
        (float("nan"), None, ["nan"]),
        ((float("inf"), 1.0), [None, 1.0], ["0 (inf)"]),
        ({"loss": 1.0, "model": object()}, {"loss": 1.0}, ["model (object)"]),
        (({"a": 1}, {"b": object()}), [{"a": 1}, {}], ["1.b (object)"]),
        (np.zeros(1001), None, ["1001 numbers"]),
        ({"x": torch.zeros(40, 40)}, {}, ["x (1600 numbers)"]),
        ([0] * 1001, None, ["1001 entries"]),
        (object(), None, ["object"]),
        ({"n": -(10**400)}, {}, ["n (a whole number above 1e308)"]),
        (b"ab", None, ["bytes"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_left_out_is_named(value: Any, kept: Any, left_out: list[str]) -> None:
    assert kept_value(value) == (kept, left_out)

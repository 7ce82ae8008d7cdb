"""The grammar of Hydra's overrides: keys and values as text."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.overrides import override_key, override_parts, override_text

TEXTS = st.text(string.printable.replace("$", ""), max_size=12)
SPECIAL = st.sampled_from(["null", "true", "False", "NaN", "-inf", "1", "1e3", "a b", "it's", "x\\", "7%", "[1,2]", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | SPECIAL,
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.sampled_from("abc"), items, max_size=3),
    max_leaves=5,
)


def read(text: str) -> Any:
    return OverridesParser.create().parse_override(f"key={text}")


@given(VALUES)
def test_hydra_reads_the_text_of_a_value_as_that_value(value: Any) -> None:
    override = read(override_text(value))
    assert not override.is_sweep_override()
    assert repr(override.value()) == repr(value)


@pytest.mark.parametrize("text", ["FD001", "data/my file.csv", "out.csv.gz", "7%", "lstm_complex", "-x"])
def test_a_text_is_quoted_only_if_it_must_be(text: str) -> None:
    assert override_text(text) == text


@pytest.mark.parametrize(
    ("override", "whole", "key"),
    [
        ("batch_size=64", "batch_size", "batch_size"),
        ("+dataset@data.train=table", "dataset@data.train", "dataset"),
        ("++a.b=x=y", "a.b", "a.b"),
        ("~zip", "zip", "zip"),
    ],
)
def test_the_key_of_an_override(override: str, whole: str, key: str) -> None:
    assert override_parts(override)[0] == whole
    assert override_key(override) == key

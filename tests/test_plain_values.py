"""Values of configs as JSON can say them."""

from __future__ import annotations

import json
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from ddrsa.plain_values import as_plain, holds_object


class Mode(Enum):
    FAST = 1


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Mode.FAST, "FAST"),
        (Level.LOW, "LOW"),
        (PurePosixPath("a/b"), "a/b"),
        (b"ab", "b'ab'"),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.longdouble(0.5), 0.5),
        ((1, [Mode.FAST]), [1, ["FAST"]]),
        ({Mode.FAST: 1, 2: {PurePosixPath("a"): None}}, {"FAST": 1, 2: {"a": None}}),
        (dict, "<class 'dict'>"),
    ],
)
def test_what_json_cannot_say_is_its_text(value: Any, plain: Any) -> None:
    found = as_plain(value)
    assert found == plain
    assert type(found) is type(plain)
    json.dumps(found)


def test_an_object_is_the_same_text_in_every_process() -> None:
    assert as_plain(test_an_object_is_the_same_text_in_every_process) == (
        "<function test_an_object_is_the_same_text_in_every_process>"
    )
    assert as_plain(object()) == as_plain(object())


def test_plain_values_stay_as_they_are() -> None:
    values = {"a": [1, 1.0, True, None, "x"], 1: {"b": float("inf")}}
    assert as_plain(values) == values
    assert [type(each) for each in as_plain(values)["a"]] == [int, float, bool, type(None), str]


def test_an_object_is_told_from_what_has_a_text_of_its_own() -> None:
    assert not holds_object({"a": [1, None, "x", Mode.FAST, PurePosixPath("a"), b"", np.int64(3), np.bool_(True)]})
    assert holds_object({"a": [1, {"b": lambda: None}]})

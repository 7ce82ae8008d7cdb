from __future__ import annotations

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ddrsa.errors import ConfigError
from ddrsa.sweep.plan.grid import grid


def jobs(*overrides: str, zipped: Any = ()) -> list[str]:
    return [" ".join(job) for job in grid(OverridesParser.create().parse_overrides(list(overrides)), zipped)]


def test_the_product_of_all_lists_in_the_order_of_hydra() -> None:
    assert jobs("a=1,2", "b=x", "c=3,4") == ["a=1 b=x c=3", "a=1 b=x c=4", "a=2 b=x c=3", "a=2 b=x c=4"]
    assert jobs("a=range(2)", "a=3") == ["a=3"]
    assert jobs() == [""]


def test_paired_values_go_together_and_the_others_stay_a_grid() -> None:
    assert jobs("lookback=32,64", "seed=0,1", "horizon=64,128", zipped=["lookback", "horizon"]) == [
        "lookback=32 horizon=64 seed=0",
        "lookback=32 horizon=64 seed=1",
        "lookback=64 horizon=128 seed=0",
        "lookback=64 horizon=128 seed=1",
    ]


def test_several_pairs() -> None:
    zipped = [["a", "b"], ["c", "model"]]
    found = jobs("a=1,2", "b=3,4", "c=5,6", "model=lstm,gru", zipped=zipped)
    assert found == [
        f"{left} {right}" for left in ("a=1 b=3", "a=2 b=4") for right in ("c=5 model=lstm", "c=6 model=gru")
    ]


@pytest.mark.parametrize(
    ("zipped", "message"),
    [
        (["a", "b"], "zip=[a,b]: a has 2, b has 3 values; they are paired one by one and must be as many"),
        (["a", "x"], "zip=[a,x]: x has no list of values, those with one are a, b"),
        (["a", "c"], "zip=[a,c]: c has no list of values, those with one are a, b"),
        ([["a", "d"], ["a", "b"]], "zip=[a,d]: d has no list of values, those with one are a, b"),
        (["a", "a"], "zip=[a,a]: a is named twice"),
        ([3], "zip has 3: allowed are keys, [lookback,horizon], or lists of keys"),
        ([["a"], "b"], "zip has 'b': allowed are keys, [lookback,horizon], or lists of keys"),
    ],
)
def test_pairs_that_cannot_be(zipped: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        jobs("a=1,2", "b=3,4,5", "c=1", zipped=zipped)
    assert str(raised.value) == message


def test_the_last_of_two_counts() -> None:
    assert jobs("a=1,2", "b=3,4", "a=5") == ["a=5 b=3", "a=5 b=4"]
    with pytest.raises(ConfigError, match="a has no list of values, those with one are b"):
        jobs("a=1,2", "b=3,4", "a=5", zipped=["a", "b"])


def test_a_list_without_a_value_is_named() -> None:
    with pytest.raises(ConfigError, match=r"seed=range\(5,0\): there is no value in this list"):
        jobs("a=1,2", "seed=range(5,0)")


def test_an_interval_is_no_list() -> None:
    with pytest.raises(HydraException, match=r"lr=interval\(0,1\): this sweeper knows no interval sweep"):
        jobs("lr=interval(0,1)")

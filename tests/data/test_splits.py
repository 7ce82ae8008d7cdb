from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ddrsa.data.splits import Split, split_units
from ddrsa.errors import ConfigError

UNITS = st.lists(st.integers(0, 10_000), min_size=6, max_size=80, unique=True)
SEEDS = st.integers(0, 2**31)


def _parts(split: Split) -> tuple[list[int], list[int], list[int]]:
    return split.training.tolist(), split.validation.tolist(), split.test.tolist()


@given(UNITS, SEEDS)
def test_the_parts_are_all_units_once(ids: list[int], seed: int) -> None:
    training, validation, test = _parts(split_units(ids, seed=seed))
    assert sorted(training + validation + test) == sorted(ids)
    assert min(map(len, (training, validation, test))) >= 1


@given(UNITS, SEEDS, st.integers(2, 6), st.data())
def test_every_unit_is_in_one_test_fold(ids: list[int], seed: int, num_folds: int, data: st.DataObject) -> None:
    events = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    splits = [split_units(ids, events, seed=seed, num_folds=num_folds, fold=fold) for fold in range(num_folds)]
    assert sorted(unit for split in splits for unit in split.test.tolist()) == sorted(ids)
    sizes = [len(split.test) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    for split in splits:
        assert sorted(itertools.chain(*_parts(split))) == sorted(ids)


@given(UNITS, SEEDS, st.data())
def test_the_order_of_the_units_does_not_matter(ids: list[int], seed: int, data: st.DataObject) -> None:
    events = {unit: data.draw(st.booleans()) for unit in ids}
    other = data.draw(st.permutations(ids))
    assert _parts(split_units(ids, [events[unit] for unit in ids], seed=seed)) == _parts(
        split_units(other, [events[unit] for unit in other], seed=seed)
    )


@given(st.integers(20, 100), st.floats(0.05, 0.95), SEEDS)
def test_each_part_has_its_share_of_failed_units(num_units: int, share: float, seed: int) -> None:
    num_events = round(share * num_units)
    assume(0 < num_events < num_units)
    split = split_units(range(num_units), np.arange(num_units) < num_events, seed=seed)
    for part in (split.test, split.validation, split.training):
        expected = len(part) * num_events / num_units
        assert abs((part < num_events).sum() - expected) < 2


def test_the_papers_split_of_100_engines() -> None:
    split = split_units(range(100), seed=0)
    assert tuple(map(len, _parts(split))) == (49, 21, 30)


def test_the_seed_shuffles() -> None:
    tests = {tuple(split_units(range(50), seed=seed).test) for seed in range(20)}
    assert len(tests) == 20
    # Each unit is as likely as any other: 0.3 of 2000 splits, within 5 standard deviations.
    counts = sum(np.isin(np.arange(50), split_units(range(50), seed=seed).test).astype(int) for seed in range(2000))
    assert np.abs(counts / 2000 - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 2000)


@pytest.mark.parametrize(
    ("num_units", "arguments", "message"),
    [
        (2, {}, "2 units are too few: the validation part is empty"),
        (1, {}, "1 unit is too few: the test part is empty|the validation part is empty"),
        (10, {"validation_fraction": 0.99}, "the training part is empty"),
        (10, {"num_folds": 1}, "num_folds=1: allowed is null or 2 to 10"),
        (10, {"num_folds": 11}, "num_folds=11"),
        (10, {"num_folds": 5, "fold": 5}, "fold is 5, allowed with num_folds=5: 0 to 4"),
        (10, {"num_folds": 5, "fold": -1}, "fold is -1"),
        (10, {"fold": 2}, "fold is 2, but num_folds is null"),
    ],
)
def test_what_cannot_be_split_is_refused(num_units: int, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_units(range(num_units), seed=0, **arguments)


def test_no_test_units_where_none_are_asked_for() -> None:
    training, validation, test = _parts(split_units(range(50), seed=0, test_fraction=0, validation_fraction=0.2))
    assert (len(training), len(validation), test) == (40, 10, [])
    # With folds the fold is the test part, whatever the fraction.
    assert len(split_units(range(50), seed=0, num_folds=5, test_fraction=0).test) == 10


def test_ids_that_are_not_distinct_are_refused() -> None:
    with pytest.raises(ValueError, match="distinct"):
        split_units([1, 1, 2, 3], seed=0)


@given(st.lists(st.integers(0, 8), min_size=20, max_size=60), SEEDS, st.booleans())
def test_no_group_is_parted(groups: list[int], seed: int, with_folds: bool) -> None:
    assume(len(set(groups)) >= 5)
    units = np.arange(len(groups)) + 100
    events = np.arange(len(groups)) % 3 > 0
    folds = [{"num_folds": 4, "fold": fold} for fold in range(4)] if with_folds else [{}]
    splits = [split_units(units, events, groups, seed=seed, **arguments) for arguments in folds]
    for split in splits:
        parts = _parts(split)
        assert sorted(itertools.chain(*parts)) == units.tolist()
        of_part = [{groups[unit - 100] for unit in part} for part in parts]
        assert len(set.union(*of_part)) == sum(map(len, of_part))
    if with_folds:
        assert sorted(unit for split in splits for unit in split.test.tolist()) == units.tolist()


def test_too_few_groups_are_called_groups() -> None:
    with pytest.raises(ConfigError, match="num_folds=4: allowed is null or 2 to 3, the number of groups of units"):
        split_units(range(9), groups=[0, 0, 0, 1, 1, 1, 2, 2, 2], seed=0, num_folds=4)
    with pytest.raises(ConfigError, match="2 groups of units are too few: the validation part is empty"):
        split_units(range(4), groups=[0, 0, 1, 1], seed=0)


def test_policy_units_come_from_those_that_would_train() -> None:
    ids = np.arange(100)
    without = split_units(ids, seed=3)
    split = split_units(ids, seed=3, policy_fraction=0.2)
    assert np.array_equal(split.test, without.test)
    assert np.array_equal(split.validation, without.validation)
    assert len(split.policy) == 14
    assert np.array_equal(np.sort(np.concatenate([split.training, split.policy])), without.training)
    assert len(without.policy) == 0
    with pytest.raises(ConfigError, match=r"training part is empty with .*policy_fraction=0\.7"):
        split_units(ids, seed=3, policy_fraction=0.7)
    with pytest.raises(ConfigError, match="policy part is empty"):
        split_units(ids, seed=3, policy_fraction=0.001)

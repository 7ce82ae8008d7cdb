"""Splits into training, validation and test: always whole units, so that training sees no window of a test unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddrsa.errors import ConfigError
from ddrsa.texts import count_of


@dataclass(frozen=True, eq=False)
class Split:
    """The unit ids of the parts, each sorted; together they are all units, and no unit is in two.

    policy: those that train nothing and choose no model, by which the promise of a policy is tuned; usually none.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    policy: NDArray[np.int64]

    @classmethod
    def of_training(cls, ids: NDArray[np.int64]) -> Split:
        """All `ids` train."""
        none = np.empty(0, dtype=np.int64)
        return cls(ids, none, none, none)

    @classmethod
    def union(cls, splits: Sequence[Split]) -> Split:
        """Each part is that of all `splits`, which have no unit in common."""
        return cls(*(np.sort(np.concatenate([getattr(each, part.name) for each in splits])) for part in fields(cls)))

    def shifted(self, by: int) -> Split:
        """The same with all ids greater by that."""
        return Split(*(getattr(self, part.name) + by for part in fields(Split)))


def split_units(
    unit_ids: ArrayLike,
    event_observed: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    seed: int,
    num_folds: int | None = None,
    fold: int = 0,
    test_fraction: float = 0.3,
    validation_fraction: float = 0.3,
    policy_fraction: float = 0.0,
) -> Split:
    """Split U units at random, by `seed` alone.

    unit_ids: (U,) distinct ids.
    event_observed: (U,) False for a censored unit; then each part gets its share of failed and of censored units.
    groups: (U,) the group of each unit, or None. All units of a group are in the same part; the fractions and folds
        are of groups, and a group counts as failed where any of its units failed.
    num_folds: None for the paper's split (DDRSA, NeurIPS 2022): `test_fraction` of the units are the test
        part, none where it is 0. With k folds, fold number `fold` of k is the test part; each unit is in the test part
        of one fold.
    In both cases `validation_fraction` of the other units are the validation part, and `policy_fraction` of them, which
    would have trained without it, are the policy part.

    Raises ConfigError where a part would be empty that was not asked to be, or `num_folds` or `fold` is out of range.
    """
    ids = np.asarray(unit_ids, dtype=np.int64)
    group_of_unit = ids if groups is None else np.asarray(groups, dtype=np.int64)
    one, several = ("unit", "units") if groups is None else ("group of units", "groups of units")
    if groups is None:
        order = _shuffled(ids, event_observed, seed)
    else:
        order = _shuffled(*_groups(group_of_unit, event_observed), seed)
    number = len(order)
    if num_folds is None:
        if fold != 0:
            raise ConfigError(f"fold is {fold}, but num_folds is null; set num_folds, or leave fold at 0")
        size = round(test_fraction * number)
        test, rest = order[:size], order[size:]
    else:
        if not 2 <= num_folds <= number:
            raise ConfigError(f"num_folds={num_folds}: allowed is null or 2 to {number}, the number of {several}")
        if not 0 <= fold < num_folds:
            raise ConfigError(f"fold is {fold}, allowed with num_folds={num_folds}: 0 to {num_folds - 1}")
        folds = np.array_split(order, num_folds)
        test, rest = folds[fold], np.concatenate(folds[:fold] + folds[fold + 1 :])
    size = round(validation_fraction * len(rest))
    end = max(size, len(rest) - round(policy_fraction * len(rest)))
    chosen_units = {
        "training": rest[size:end],
        "validation": rest[:size],
        "test": test,
        "policy": rest[end:],
    }
    split = Split(**{part: np.sort(ids[np.isin(group_of_unit, chosen)]) for part, chosen in chosen_units.items()})
    wanted_parts = {"test": num_folds is not None or test_fraction > 0, "policy": policy_fraction > 0}
    for part in chosen_units:
        wanted = wanted_parts.get(part, True)
        if wanted and not len(getattr(split, part)):
            raise ConfigError(
                f"{count_of(number, f'{one} is', f'{several} are')} too few: the {part} part is empty with "
                f"test_fraction={test_fraction}, validation_fraction={validation_fraction}, num_folds={num_folds}"
                + (f", policy_fraction={policy_fraction}" if policy_fraction else "")
            )
    return split


def _groups(
    group_of_unit: NDArray[np.int64], event_observed: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """The distinct groups, and whether any unit of each failed."""
    distinct, position = np.unique(group_of_unit, return_inverse=True)
    if event_observed is None:
        return distinct, None
    return distinct, np.bincount(position, weights=np.asarray(event_observed, dtype=np.float64)) > 0


def _shuffled(ids: NDArray[np.int64], event_observed: ArrayLike | None, seed: int) -> NDArray[np.int64]:
    """The ids shuffled so that every stretch of the result has its share of failed and of censored units."""
    event = np.ones(len(ids), dtype=bool) if event_observed is None else np.asarray(event_observed, dtype=bool)
    if event.shape != ids.shape or len(np.unique(ids)) != len(ids):
        raise ValueError("unit_ids must be distinct, with one event_observed for each")
    by_id = np.argsort(ids)  # the split must not depend on the order of the file
    order = by_id[np.random.default_rng(seed).permutation(len(ids))]
    # Spread each group evenly over (0, 1), then merge the two by position.
    position = np.empty(len(ids))
    for group in (event[order], ~event[order]):
        position[group] = (np.arange(group.sum()) + 0.5) / max(group.sum(), 1)
    return ids[order[np.argsort(position, kind="stable")]]

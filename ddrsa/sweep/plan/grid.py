"""Grids: the product of all lists of values on a command line, but for those that are paired."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from ddrsa.errors import ConfigError


def grid(overrides: Sequence[Override], zipped: Sequence[Any] = ()) -> list[list[str]]:
    """The overrides of each job.

    zipped: keys whose first values go together, then their second, and so on: ["lookback", "horizon"]. Or several such
        lists, each paired in itself: [["lookback", "horizon"], ["model", "dropout"]].

    Raises ConfigError where a list is empty, and where `zipped` names a key that has none, or the lists differ in
    length; HydraException on a sweep that is no list of values, such as interval(0, 1).
    """
    # Of one key the last counts, in the place of the first.
    last = {override.get_key_element(): override for override in overrides}
    values = {key: _values(override) for key, override in last.items()}
    swept = {key for key, override in last.items() if override.is_sweep_override()}
    group_of = {key: group for group in _groups(zipped, values, swept) for key in group}
    axes: list[list[tuple[str, ...]]] = []
    placed: set[str] = set()
    for key in values:
        if key not in placed:
            group = group_of.get(key, (key,))
            placed.update(group)
            axes.append(list(zip(*(values[other] for other in group), strict=True)))
    return [list(itertools.chain.from_iterable(job)) for job in itertools.product(*axes)]


def _values(override: Override) -> list[str]:
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        kind = "" if override.value_type is None else override.value_type.name.lower().replace("_", " ")
        raise HydraException(f"{override.input_line}: this sweeper knows no {kind}, only lists of values")
    values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    if not values:
        raise ConfigError(f"{override.input_line}: there is no value in this list")
    return values


def _groups(zipped: Sequence[Any], values: dict[str, list[str]], swept: set[str]) -> list[tuple[str, ...]]:
    lists = [zipped] if all(isinstance(key, str) for key in zipped) else zipped
    groups: list[tuple[str, ...]] = []
    for keys in lists:
        if not isinstance(keys, Sequence) or isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
            raise ConfigError(f"zip has {keys!r}: allowed are keys, [lookback,horizon], or lists of keys")
        groups.append(tuple(keys))
    seen: set[str] = set()
    for group in groups:
        shown = f"zip=[{','.join(group)}]"
        for key in group:
            if key in seen:
                raise ConfigError(f"{shown}: {key} is named twice")
            seen.add(key)
            if key not in swept:
                have = f"those with one are {', '.join(sorted(swept))}" if swept else "no key has one"
                raise ConfigError(f"{shown}: {key} has no list of values, {have}")
        lengths = [len(values[key]) for key in group]
        if len(set(lengths)) > 1:
            counts = ", ".join(f"{key} has {length}" for key, length in zip(group, lengths, strict=True))
            raise ConfigError(f"{shown}: {counts} values; they are paired one by one and must be as many")
    return groups

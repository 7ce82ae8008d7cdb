"""The keys of the config group `policy`, with their checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ddrsa.checks import require
from ddrsa.errors import ConfigError


@dataclass(frozen=True)
class Guarantee:
    """A promise: with probability `confidence` no more than the share `miss_rate` of all units is missed."""

    miss_rate: float
    confidence: float = 0.9

    def __post_init__(self) -> None:
        for name in ("miss_rate", "confidence"):
            value = getattr(self, name)
            require(f"policy.guarantee.{name}", value, _is_number(value) and 0 < value < 1, "above 0 and below 1")


@dataclass(frozen=True)
class Costs:
    """What it costs, in money.

    failure: a failure that was missed. intervention: a planned one. cycle: the value of a cycle of useful life that an
    intervention gives up. cycles_per_year: how many cycles a unit runs. currency: a name for the reports.
    """

    failure: float
    intervention: float
    cycle: float
    cycles_per_year: float
    currency: str = ""

    def __post_init__(self) -> None:
        for name in ("failure", "intervention", "cycle", "cycles_per_year"):
            value = getattr(self, name)
            holds = _is_number(value) and (value >= 0 if name == "intervention" else value > 0)
            require(
                f"policy.costs.{name}",
                value,
                holds,
                f"a number {'of at least' if name == 'intervention' else 'above'} 0",
            )
        require(
            "policy.costs.failure",
            self.failure,
            self.failure > self.intervention,
            "more than policy.costs.intervention",
        )
        require("policy.costs.currency", self.currency, isinstance(self.currency, str), "a name such as EUR")

    @property
    def missed_failure(self) -> float:
        """C of the OTI policy, cycles: what a missed failure costs beyond an intervention, in the value of cycles."""
        return (self.failure - self.intervention) / self.cycle


@dataclass(frozen=True)
class PolicyOptions:
    """How the policies are judged and tuned.

    lead_time: the cycles that an intervention must leave before the failure, 1 or more; with less it is missed.
    guarantee: the promise that a threshold is to keep, or None. costs: in money, or None.
    """

    lead_time: int = 1
    guarantee: Guarantee | None = None
    costs: Costs | None = None

    def __post_init__(self) -> None:
        require(
            "policy.lead_time", self.lead_time, type(self.lead_time) is int and self.lead_time >= 1, "1 or more cycles"
        )


def policy_options(values: Mapping[str, Any] | None) -> PolicyOptions:
    """The options of the config group `policy`; a part of it whose values are all null (or which is null) is not there.

    Raises ConfigError naming the key, its value and what is allowed.
    """
    given = dict(values or {})
    _check_keys("policy", given, PolicyOptions)
    guarantee = _part("guarantee", given.get("guarantee"), ("miss_rate",))
    costs = _part("costs", given.get("costs"), ("failure", "intervention", "cycle", "cycles_per_year"))
    return PolicyOptions(
        given.get("lead_time", 1),
        None if guarantee is None else Guarantee(**guarantee),
        None if costs is None else Costs(**costs),
    )


def _part(name: str, values: Any, needed: tuple[str, ...]) -> dict[str, Any] | None:
    """The keys that are not null; None where none of `needed` is given. Raises ConfigError where some are."""
    kind = {"guarantee": Guarantee, "costs": Costs}[name]
    allowed = ", ".join(field.name for field in fields(kind))
    require(f"policy.{name}", values, values is None or isinstance(values, Mapping), f"null, or {allowed}")
    given = {key: value for key, value in (values or {}).items() if value is not None}
    _check_keys(f"policy.{name}", given, kind)
    if not given.keys() & set(needed):
        return None
    missing = [key for key in needed if key not in given]
    if missing:
        there = ", ".join(f"policy.{name}.{key}={given[key]}" for key in given if key in needed)
        raise ConfigError(f"policy.{name}.{missing[0]} is missing: {there} needs {', '.join(needed)}")
    return given


def _check_keys(where: str, values: Mapping[str, Any], kind: type) -> None:
    allowed = [field.name for field in fields(kind)]
    for key in values:
        if key not in allowed:
            raise ConfigError(f"{where}.{key}: there is no such key, allowed are {', '.join(allowed)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

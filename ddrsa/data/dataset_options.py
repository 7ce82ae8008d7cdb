"""The keys that every data set has, and the checks on their values."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ddrsa.checks import require
from ddrsa.overrides import override_text

SCALINGS = ("minmax", "standard", "condition")


# Not frozen: OmegaConf would make the config read-only. Type-annotated with defaults: they are Hydra's schemas.
@dataclass(kw_only=True)
class DatasetOptions:
    """Options of every data set: its scaling, and its split by unit."""

    SCALINGS: ClassVar[tuple[str, ...]] = SCALINGS

    name: str
    scaling: str = "minmax"
    test_fraction: float = 0.3
    validation_fraction: float = 0.3
    split_seed: int | None = 0  # None: the seed of the run
    policy_fraction: float | None = None  # None: as if 0, or what the promise of a policy needs

    def __post_init__(self) -> None:
        self._check_choice("scaling", self.SCALINGS)
        self._check_number("test_fraction", float, lambda value: 0 <= value < 1, "from 0 to below 1")
        self._check_number("validation_fraction", float, lambda value: 0 < value < 1, "above 0 and below 1")
        if self.policy_fraction is not None:
            self._check_number("policy_fraction", float, lambda value: 0 <= value < 1, "from 0 to below 1, or null")
        if self.split_seed is not None:
            self._check_number("split_seed", int, lambda value: value >= 0, "of at least 0, or null")

    @property
    def time_unit(self) -> str:
        """The unit of time that one row stands for, in the plural."""
        return "cycles"

    def reading_options(self) -> dict[str, Any]:
        """The keys that decide what is read: all but those of scaling and splitting."""
        shared = {option.name for option in fields(DatasetOptions)} - {"name"}
        return {option.name: getattr(self, option.name) for option in fields(self) if option.name not in shared}

    def comparison_options(self) -> dict[str, Any]:
        """Of `reading_options` those that decide what is forecast: runs that differ in one are not compared."""
        return self.reading_options()

    @property
    def measured_unit(self) -> str:
        """As `time_unit`, of the steps in which forecasts are measured."""
        return self.time_unit

    def _check_choice(self, key: str, allowed: tuple[Any, ...]) -> None:
        value = getattr(self, key)
        holds = type(value) is type(allowed[0]) and value in allowed
        require(f"dataset.{key}", value, holds, ", ".join(map(override_text, allowed)))

    def _check_number(self, key: str, kind: type, in_range: Any, allowed: str) -> None:
        value = getattr(self, key)
        # A bool is an int in Python, and YAML writes 1 where 1.0 is meant.
        is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        noun = "a whole number" if kind is int else "a number"
        holds = is_number and math.isfinite(value) and in_range(value)
        require(f"dataset.{key}", value, holds, f"{noun} {allowed}")
        setattr(self, key, kind(value))

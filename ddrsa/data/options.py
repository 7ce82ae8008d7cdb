"""The keys of the config group `dataset`, and the checks on their values. No file is read here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ddrsa.errors import ConfigError

SCALINGS = ("minmax", "standard", "condition")
SUBSETS = ("FD001", "FD002", "FD003", "FD004", "PHM08")


# Not frozen: OmegaConf would make the config read-only. Type-annotated with defaults: they are Hydra's schemas.
@dataclass(kw_only=True)
class DatasetOptions:
    """What every data set has: its scaling, and its split by unit."""

    name: str
    scaling: str = "minmax"
    test_fraction: float = 0.3
    validation_fraction: float = 0.3
    split_seed: int | None = None  # None: the seed of the run

    def __post_init__(self) -> None:
        self._check_choice("scaling", SCALINGS)
        self._check_number("test_fraction", float, lambda value: 0 <= value < 1, "from 0 to below 1")
        self._check_number("validation_fraction", float, lambda value: 0 < value < 1, "above 0 and below 1")
        if self.split_seed is not None:
            self._check_number("split_seed", int, lambda value: value >= 0, "null or at least 0")

    def reading_options(self) -> dict[str, Any]:
        """The keys that decide what is read: all but those of scaling and splitting."""
        shared = {option.name for option in fields(DatasetOptions)} - {"name"}
        return {option.name: getattr(self, option.name) for option in fields(self) if option.name not in shared}

    def _check_choice(self, key: str, allowed: tuple[Any, ...]) -> None:
        value = getattr(self, key)
        if type(value) is not type(allowed[0]) or value not in allowed:
            raise ConfigError(f"dataset.{key} is {value!r}, allowed: {', '.join(map(str, allowed))}")

    def _check_number(self, key: str, kind: type, in_range: Any, allowed: str) -> None:
        value = getattr(self, key)
        # A bool is an int in Python, and YAML writes 1 where 1.0 is meant.
        is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value) and in_range(value)):
            noun = "a whole number" if kind is int else "a number"
            raise ConfigError(f"dataset.{key} is {value!r}, allowed: {noun} {allowed}")
        setattr(self, key, kind(value))


@dataclass(kw_only=True)
class SimulatedOptions(DatasetOptions):
    """A simulated fleet (`simulated.py`)."""

    name: str = "simulated"
    num_units: int = 60
    num_conditions: int = 1
    num_fault_modes: int = 1
    censored_fraction: float = 0.0
    noise: float = 1.0
    simulation_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_number("num_units", int, lambda value: 3 <= value <= 100_000, "from 3 to 100000")
        self._check_choice("num_conditions", (1, 6))
        self._check_choice("num_fault_modes", (1, 2))
        self._check_number("censored_fraction", float, lambda value: 0 <= value < 1, "from 0 to below 1")
        self._check_number("noise", float, lambda value: 0 <= value <= 100, "from 0 to 100")
        self._check_number("simulation_seed", int, lambda value: value >= 0, "of at least 0")


@dataclass(kw_only=True)
class TurbofanOptions(DatasetOptions):
    """NASA's C-MAPSS data (`turbofan.py`)."""

    name: str = "turbofan"
    subset: str = "FD001"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_choice("subset", SUBSETS)


DATASET_OPTIONS: dict[str, type[DatasetOptions]] = {"simulated": SimulatedOptions, "turbofan": TurbofanOptions}


def check_dataset_options(mapping: Mapping[str, Any]) -> DatasetOptions:
    """The options of the data set `mapping["name"]`, with defaults for the keys that are not given.

    Raises ConfigError for an unknown data set or key, and for a value of a wrong type or out of range.
    """
    name = mapping.get("name")
    if not isinstance(name, str) or name not in DATASET_OPTIONS:
        raise ConfigError(f"dataset.name is {name!r}, allowed: {', '.join(DATASET_OPTIONS)}")
    kind = DATASET_OPTIONS[name]
    allowed = [option.name for option in fields(kind)]
    for key in mapping:
        if key not in allowed:
            raise ConfigError(f"dataset.{key} is no key of the data set {name}, allowed: {', '.join(allowed)}")
    return kind(**{str(key): mapping[key] for key in mapping})

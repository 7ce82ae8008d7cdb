"""The keys of the config group `dataset`, and the checks on their values. No file is read here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text

SCALINGS = ("minmax", "standard", "condition")
AGGREGATIONS = ("mean", "last", "median", "min", "max", "sum")
SUBSETS = ("FD001", "FD002", "FD003", "FD004", "PHM08")


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

    def comparison_options(self) -> dict[str, Any]:
        # Fleets of several seeds are repeats of one another.
        return {key: value for key, value in super().comparison_options().items() if key != "simulation_seed"}


@dataclass(kw_only=True)
class TurbofanOptions(DatasetOptions):
    """NASA's C-MAPSS data (`turbofan.py`)."""

    name: str = "turbofan"
    subset: str = "FD001"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_choice("subset", SUBSETS)


@dataclass(kw_only=True)
class AzureOptions(DatasetOptions):
    """Microsoft's predictive maintenance data (`azure_files.py`, `azure_rows.py`)."""

    SCALINGS: ClassVar[tuple[str, ...]] = SCALINGS[:2]

    name: str = "azure_pm"
    step_hours: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_number("step_hours", int, lambda value: 3 <= value <= 168, "from 3 to 168")

    @property
    def time_unit(self) -> str:
        return f"steps of {self.step_hours} hours"


@dataclass(kw_only=True)
class TableOptions(DatasetOptions):
    """The user's own CSV or Parquet files (`table.py`); docs/your-own-data.md explains every key."""

    SCALINGS: ClassVar[tuple[str, ...]] = SCALINGS[:2]

    name: str = "table"
    path: str
    subset: str | None = None
    separator: str = ","
    unit_column: str | None = "unit"
    time_column: str = "time"
    event_column: str | None = None
    time_to_event_column: str | None = None
    all_units_fail: bool = False
    group_column: str | None = None
    feature_columns: list[str] = field(default_factory=lambda: ["*"])
    exclude_columns: list[str] = field(default_factory=list)
    categorical_columns: list[str] = field(default_factory=list)
    step: Any = None
    aggregation: str = "mean"
    missing: str = "forward"
    after_event: str = "error"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("path", "separator", "time_column"):
            self._check_text(key)
        for key in ("subset", "unit_column", "event_column", "time_to_event_column", "group_column"):
            if getattr(self, key) is not None:
                self._check_text(key)
        for key in ("feature_columns", "exclude_columns", "categorical_columns"):
            value = getattr(self, key)
            names = [value] if isinstance(value, str) else value
            holds = isinstance(names, Sequence) and all(isinstance(name, str) for name in names)
            require(f"dataset.{key}", value, holds, "a column, a pattern, or a list of them")
            setattr(self, key, list(names))
        self._check_choice("all_units_fail", (False, True))
        self._check_choice("aggregation", AGGREGATIONS)
        self._check_choice("missing", ("forward", "error"))
        self._check_choice("after_event", ("error", "drop", "new_unit"))
        ways = [key for key in ("event_column", "time_to_event_column", "all_units_fail") if getattr(self, key)]
        if len(ways) != 1:
            given = f"dataset.{' and dataset.'.join(ways)} are set" if ways else "nothing says when the event is"
            raise ConfigError(
                f"{given}: allowed is exactly one of dataset.event_column, dataset.time_to_event_column and "
                "dataset.all_units_fail=true"
            )
        if self.step is not None and not isinstance(self.step, str):
            self._check_number("step", float, lambda value: value > 0, "above 0, or a duration such as 15h")

    @property
    def time_unit(self) -> str:
        return "rows" if self.step is None else f"steps of {self.step}"

    def reading_options(self) -> dict[str, Any]:
        # The files count by their content, and a name for the tables of an analysis changes nothing in them.
        options = super().reading_options()
        return {key: value for key, value in options.items() if key not in ("path", "subset")}

    def comparison_options(self) -> dict[str, Any]:
        # The same failures of the same rows can be forecast from other features.
        return {key: value for key, value in super().comparison_options().items() if key not in OF_FEATURES}

    def _check_text(self, key: str) -> None:
        value = getattr(self, key)
        require(f"dataset.{key}", value, isinstance(value, str) and bool(value), "a text that is not empty")


# Keys of a table that change its features alone.
OF_FEATURES = (*("feature_columns", "exclude_columns", "categorical_columns", "aggregation", "missing", "separator"),)

DATASET_OPTIONS: dict[str, type[DatasetOptions]] = {
    "simulated": SimulatedOptions,
    "turbofan": TurbofanOptions,
    "azure_pm": AzureOptions,
    "table": TableOptions,
}


def check_dataset_options(mapping: Mapping[str, Any]) -> DatasetOptions:
    """The options of the data set `mapping["name"]`, with defaults for the keys that are not given.

    Raises ConfigError for an unknown data set or key, and for a value of a wrong type or out of range.
    """
    name = mapping.get("name")
    require("dataset.name", name, isinstance(name, str) and name in DATASET_OPTIONS, ", ".join(DATASET_OPTIONS))
    assert isinstance(name, str)
    kind = DATASET_OPTIONS[name]
    allowed = [option.name for option in fields(kind)]
    for key in mapping:
        if key not in allowed:
            raise ConfigError(f"dataset.{key} is no key of the data set {name}: allowed are {', '.join(allowed)}")
    for option in fields(kind):
        if option.name not in mapping and option.default is MISSING and option.default_factory is MISSING:
            raise ConfigError(f"dataset.{option.name} is missing, the data set {name} needs it")
    return kind(**{str(key): mapping[key] for key in mapping})

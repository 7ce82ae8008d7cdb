"""The keys of the config group `dataset`, and the checks on their values. No file is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar

from ddrsa.checks import require
from ddrsa.data.dataset_options import SCALINGS, DatasetOptions
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import ConfigError

__all__ = ["SCALINGS", "DatasetOptions", "TableOptions"]  # with the others of this module, for its users

SUBSETS = ("FD001", "FD002", "FD003", "FD004", "PHM08")


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
    """NASA's C-MAPSS data (`turbofan.py`).

    subset: one of SUBSETS, or a list of several, which train together. evaluate_on: the one of them whose units are
    validated and tested, while all units of the others train; None: each has its own share of every part.
    """

    name: str = "turbofan"
    subset: Any = "FD001"
    evaluate_on: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = list(self.subset) if isinstance(self.subset, list | tuple) else [self.subset]
        allowed = f"{', '.join(SUBSETS)}, or a list of several of them, each once"
        known = all(isinstance(name, str) and name in SUBSETS for name in given)
        require("dataset.subset", self.subset, bool(given) and known and len(set(given)) == len(given), allowed)
        # In one order, and one alone as a text: the same data are the same run.
        self.subset = sorted(given) if len(given) > 1 else given[0]
        holds = self.evaluate_on is None or self.evaluate_on in given
        require("dataset.evaluate_on", self.evaluate_on, holds, f"null or one of dataset.subset: {', '.join(given)}")
        if len(given) == 1:
            self.evaluate_on = None

    @property
    def subsets(self) -> tuple[str, ...]:
        """Those that train, first the `evaluated` ones."""
        given = self.subset if isinstance(self.subset, list) else [self.subset]
        return (*self.evaluated, *(name for name in given if name not in self.evaluated))

    @property
    def evaluated(self) -> tuple[str, ...]:
        """Those whose units are validated and tested."""
        if self.evaluate_on is not None:
            return (self.evaluate_on,)
        return tuple(self.subset) if isinstance(self.subset, list) else (self.subset,)

    def alone(self, subset: str) -> TurbofanOptions:
        """The options of one subset by itself."""
        return replace(self, subset=subset, evaluate_on=None)

    def comparison_options(self) -> dict[str, Any]:
        # What else has trained does not change what is forecast.
        return {"subset": list(self.evaluated) if len(self.evaluated) > 1 else self.evaluated[0]}


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

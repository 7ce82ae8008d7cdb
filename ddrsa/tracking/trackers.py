"""The trackers that there are, their options, and how one is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ddrsa.checks import did_you_mean
from ddrsa.errors import ConfigError
from ddrsa.extras import missing_extra
from ddrsa.tracking.base import Tracker
from ddrsa.tracking.facts import program_name
from ddrsa.tracking.mirror import MirrorOptions
from ddrsa.tracking.mlflow import MlflowOptions, MlflowTracker
from ddrsa.tracking.tensorboard import TensorBoardOptions, TensorBoardTracker
from ddrsa.tracking.wandb import WandbOptions, WandbTracker

OPTIONS: dict[str, type] = {"tensorboard": TensorBoardOptions, "mlflow": MlflowOptions, "wandb": WandbOptions}


@dataclass(frozen=True)
class TrackerOptions:
    """The options of one tracker, checked. own: of the tracker's class."""

    name: str
    mirror: MirrorOptions
    own: Any
    given: dict[str, Any]

    @classmethod
    def of(cls, name: str, given: Mapping[str, Any] | None, key: str = "tracking") -> TrackerOptions:
        """Checked. Raises ConfigError where there is no such tracker or option, or its extra is not installed."""
        if name not in OPTIONS:
            raise ConfigError(f"{key}={name}: there is no such tracker, allowed are {', '.join(OPTIONS)}")
        values = dict(given or {})
        known = {each.name: each for part in (MirrorOptions, OPTIONS[name]) for each in fields(part)}
        for option, value in values.items():
            if option not in known:
                hint = did_you_mean(option, known)
                raise ConfigError(f"{key}.{name}.{option}: there is no such option{hint}")
            _check(f"{key}.{name}.{option}", value, option)
        if find_spec(name) is None:
            raise ConfigError(missing_extra(f"{key}={name}", ModuleNotFoundError(name=name)))
        parts = [{each.name: values[each.name] for each in fields(part) if each.name in values}
                 for part in (MirrorOptions, OPTIONS[name])]  # fmt: skip
        if "tags" in parts[0]:
            parts[0]["tags"] = {str(tag): str(value) for tag, value in (parts[0]["tags"] or {}).items()}
        return cls(name, MirrorOptions(**parts[0]), OPTIONS[name](**parts[1]), values)

    def make(self, directory: Path) -> Tracker:
        """The tracker for the sweep in `directory`. Raises what its package raises."""
        if self.name == "mlflow":
            return MlflowTracker(self.own, program_name(directory))
        if self.name == "wandb":
            return WandbTracker(self.own, directory, program_name(directory))
        return TensorBoardTracker(directory)


def _check(key: str, value: Any, option: str) -> None:
    if option in ("artifacts", "checkpoints"):
        if not isinstance(value, bool):
            raise ConfigError(f"{key}={value}: allowed are true and false")
    elif option == "tags":
        if not isinstance(value, Mapping | None):
            raise ConfigError(f"{key}={value}: a mapping is expected, {{team: wind}}")
    elif not isinstance(value, str | None):
        raise ConfigError(f"{key}={value}: a text is expected")
    elif isinstance(value, str) and "://" in value:
        raise ConfigError(f"{key}: it is a name; the address of a server stands in the environment: docs/tracking.md")

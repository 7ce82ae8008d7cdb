"""Options below `scripts` in the config: their types, and the checks on their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddrsa.checks import require
from ddrsa.errors import ConfigError


@dataclass
class ScriptsSchema:
    """The types of the keys below `scripts`, for Hydra. conf/experiment/scripts.yaml says what they mean."""

    root: Any = None
    include: Any = "train_*.py"
    exclude: Any = field(default_factory=list)
    jobs: str | None = None
    job: str | None = None
    epochs: int | None = None
    folds: int | None = None
    batch_size: int | None = None
    output_dir: str | None = None
    args: Any = None
    extra_args: Any = field(default_factory=list)
    optional: Any = field(default_factory=list)
    metrics: Any = "*.json"
    objective: str | None = None
    python: str | None = None
    working_dir: str | None = None
    list: bool = False


def register() -> None:
    """Make the schema known to Hydra, as `scripts: options` in the defaults list."""
    schema = OmegaConf.structured(ScriptsSchema)
    schema.args = {}
    # What arguments there are, only the scripts know: scripts.args.NAME needs no + in front.
    schema.args._set_flag("struct", False)
    ConfigStore.instance().store(group="scripts", name="options", node=schema, provider="ddrsa")


@dataclass(frozen=True)
class ScriptsOptions:
    """The options, checked. Patterns and lists are tuples; `args` holds plain values by name."""

    root: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    jobs: str | None
    job: str | None
    epochs: int | None
    folds: int | None
    batch_size: int | None
    output_dir: str | None
    args: Mapping[str, Any]
    extra_args: tuple[str, ...]
    optional: tuple[str, ...]
    metrics: tuple[str, ...]
    objective: str | None
    python: str | None
    working_dir: str | None
    list: bool

    @property
    def directory(self) -> Path:
        """The working directory of the scripts, absolute."""
        return Path(self.working_dir or ".").absolute()


def scripts_options(config: DictConfig) -> ScriptsOptions | None:
    """The options below `scripts`; None where it runs no scripts. Raises ConfigError on values that are not allowed."""
    if OmegaConf.select(config, "scripts") is None:
        return None
    try:
        values: Any = OmegaConf.to_container(config.scripts, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"scripts has no usable value: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(values, dict) or set(values) != {each.name for each in fields(ScriptsOptions)}:
        raise ConfigError(f"scripts={values!r}: it is set by experiment=scripts")
    for key in ("root", "include", "exclude", "optional", "metrics"):
        values[key] = _texts(key, values[key])
    for key in ("epochs", "folds", "batch_size"):
        require(f"scripts.{key}", values[key], values[key] is None or values[key] >= 1, "1 or more, or null")
    args = values["args"] or {}
    require("scripts.args", args, isinstance(args, dict), "names with values, scripts.args.learning_rate=0.1")
    values["args"] = {str(name): _argument(f"scripts.args.{name}", value) for name, value in args.items()}
    extra = _argument("scripts.extra_args", values["extra_args"] or [])
    holds = isinstance(extra, list) and None not in extra
    require("scripts.extra_args", extra, holds, "a list, [--verbose,--early-stopping]")
    values["extra_args"] = tuple(map(as_text, extra))
    options = ScriptsOptions(**values)
    if options.working_dir is not None and not options.directory.is_dir():
        raise ConfigError(f"scripts.working_dir={options.working_dir}: there is no such directory")
    return options


def as_text(value: Any) -> str:
    """A value as a script gets it on its command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(key: str, value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else [] if value is None else value
    holds = isinstance(listed, list) and all(isinstance(each, str) and each for each in listed)
    require(f"scripts.{key}", value, holds, "a text or a list of texts")
    return tuple(listed)


def _argument(key: str, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    holds = all(item is None or isinstance(item, str | int | float) for item in items)
    require(key, value, holds, "a value or a list of values")
    return value

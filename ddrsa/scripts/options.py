"""Options below `scripts` in the config: their types, and the checks on their values."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.plain_values import PlainValues
from ddrsa.scripts.interface.libraries import FLAG_STYLES
from ddrsa.scripts.interface.values import as_text
from ddrsa.scripts.own_directory import Limits

# Stand in arguments for what is known when a run starts.
RUN_DIR, OUTPUT_DIR = "{run_dir}", "{output_dir}"
# Hydra knows them in a run alone; an argument may have them all the same.
_OF_HYDRA = {"${hydra:runtime.output_dir}": RUN_DIR, "${hydra:run.dir}": RUN_DIR}
# Where these stand in `scripts.command`, there go the script and its arguments.
SCRIPT, MODULE, ARGUMENTS, PYTHON = "{script}", "{module}", "{args}", "{python}"
DEFAULT_METRICS = ("*.json", "events.out.tfevents.*", "metrics.csv", "results.csv", "history.csv", "progress.csv")


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
    output_option: str | None = None
    args: Any = None
    extra_args: Any = field(default_factory=list)
    flags: str | None = None
    read_help: bool = False
    optional: Any = field(default_factory=list)
    metrics: Any = field(default_factory=lambda: list(DEFAULT_METRICS))
    log_metrics: Any = field(default_factory=list)
    objective: str | None = None
    python: str | None = None
    command: Any = None
    working_dir: str | None = None
    own_working_dir: bool | None = None
    own_limits: Any = None
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
    output_option: str | None
    args: Mapping[str, Any]
    extra_args: tuple[str, ...]
    flags: str | None
    read_help: bool
    optional: tuple[str, ...]
    metrics: tuple[str, ...]
    log_metrics: tuple[str, ...]
    objective: str | None
    python: str | None
    command: tuple[str, ...]
    working_dir: str | None
    own_working_dir: bool | None
    own_limits: Limits
    list: bool

    @property
    def directory(self) -> Path:
        """The working directory of the scripts, absolute."""
        return Path(self.working_dir or ".").absolute()


def scripts_options(config: DictConfig | PlainValues) -> ScriptsOptions | None:
    """The options below `scripts`; None where it runs no scripts. Raises ConfigError on values that are not allowed."""
    if isinstance(config, PlainValues):
        if config["scripts"] is not None:
            raise TypeError("scripts are read from the config, with its interpolations")
        return None
    if OmegaConf.select(config, "scripts") is None:
        return None
    try:
        values: Any = OmegaConf.to_container(_with_placeholders(config).scripts, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"scripts has no usable value: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(values, dict) or set(values) != {each.name for each in fields(ScriptsOptions)}:
        raise ConfigError(f"scripts={values!r}: it is set by experiment=scripts")
    for key in ("root", "include", "exclude", "optional", "metrics", "log_metrics"):
        values[key] = _texts(key, values[key])
    values["command"] = read_command("scripts.command", values["command"])
    require("scripts.flags", values["flags"], values["flags"] in (None, *FLAG_STYLES), " or ".join(FLAG_STYLES))
    check_python("scripts.python", values["python"])
    for key in ("epochs", "folds", "batch_size"):
        require(f"scripts.{key}", values[key], values[key] is None or values[key] >= 1, "1 or more, or null")
    args = values["args"] or {}
    require("scripts.args", args, isinstance(args, dict), "names with values, scripts.args.learning_rate=0.1")
    values["args"] = {name: _argument(f"scripts.args.{name}", value) for name, value in _dotted(args)}
    values["own_limits"] = _limits(values["own_limits"] or {})
    extra = _argument("scripts.extra_args", values["extra_args"] or [])
    holds = isinstance(extra, list) and None not in extra
    require("scripts.extra_args", extra, holds, "a list, [--verbose,--early-stopping]")
    values["extra_args"] = tuple(map(as_text, extra))
    options = ScriptsOptions(**values)
    if options.working_dir is not None and not options.directory.is_dir():
        raise ConfigError(f"scripts.working_dir={options.working_dir}: there is no such directory")
    return options


def read_command(key: str, given: Any) -> tuple[str, ...]:
    """A command with {script} or {module} and {args} in it, from a list or a text; () for None. Raises ConfigError."""
    if given is None:
        return ()
    try:
        words = shlex.split(given) if isinstance(given, str) else given
    except ValueError:
        words = None  # a quotation mark is not closed
    holds = isinstance(words, list) and all(isinstance(word, str) for word in words) and ARGUMENTS in words
    allowed = f"a list of texts, among them {SCRIPT} (or {MODULE}) and {ARGUMENTS}: [bash,{SCRIPT},{ARGUMENTS}]"
    require(key, given, holds and bool({SCRIPT, MODULE} & set(words or ())), allowed)
    assert words is not None
    return tuple(words)


def check_python(key: str, python: str | None) -> None:
    """Raise ConfigError where an interpreter is a command of several words."""
    if python is not None and len(python.split()) > 1 and not Path(python).exists():
        whole = f'"{python} {SCRIPT} {ARGUMENTS}"'
        raise ConfigError(f"{key}={python}: it is one program; with arguments of its own it is scripts.command={whole}")


def program_of(given: str, directory: Path) -> str:
    """A program that is given by its path, as an absolute one, since runs work elsewhere; a name alone as it is."""
    return str((directory / Path(given).expanduser()).absolute()) if "/" in given else given


def _with_placeholders(config: DictConfig) -> DictConfig:
    """`config`; where its scripts have what only a run of Hydra can resolve, a copy with placeholders for that."""
    raw = OmegaConf.to_container(config.scripts, resolve=False) if isinstance(config.scripts, DictConfig) else None
    replaced = _replaced(raw)
    if replaced == raw:
        return config
    copied = OmegaConf.masked_copy(config, [str(key) for key in config if key not in ("hydra", "scripts")])
    OmegaConf.set_struct(copied, False)
    copied.scripts = replaced
    return copied


def _replaced(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each) for each in value]
    for interpolation, placeholder in _OF_HYDRA.items():
        value = value.replace(interpolation, placeholder) if isinstance(value, str) else value
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else [] if value is None else value
    holds = isinstance(listed, list) and all(isinstance(each, str) and each for each in listed)
    require(f"scripts.{key}", value, holds, "a text or a list of texts")
    return tuple(listed)


def _limits(given: Any) -> Limits:
    known = [each.name for each in fields(Limits)]
    holds = isinstance(given, dict) and set(given) <= set(known)
    require("scripts.own_limits", given, holds, f"a mapping with keys of {', '.join(known)}")
    for name, value in given.items():
        holds = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
        require(f"scripts.own_limits.{name}", value, holds, "a number, 0 or more")
    return Limits(**given)


def _dotted(args: dict[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Names with values; what is nested, since scripts.args.trainer.max_epochs=3 is that, is trainer.max_epochs."""
    for name, value in args.items():
        if isinstance(value, dict) and value:
            yield from _dotted(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _argument(key: str, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    holds = all(item is None or isinstance(item, str | int | float) for item in items)
    require(key, value, holds, "a value or a list of values")
    return value

"""Flat names and values of a run's config."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddrsa.interpolations import called_resolvers
from ddrsa.plain_values import as_plain
from ddrsa.rundir.files import read_text
from ddrsa.rundir.yaml_files import check_yaml
from ddrsa.schema import NOT_IDENTITY

_MISSING = "???"
# A line that begins a new key at the top level. PyYAML writes the items of a top-level list without indentation.
_TOP_LEVEL_KEY = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)


def read_run_config(path: Path) -> dict[str, Any]:
    """The hyperparameters in a `.hydra/config.yaml`, nested keys as dotted names, lists as their text.

    Interpolations of other keys are resolved. A value that calls a resolver (`${oc.env:HOME}`, `${gpu_index:}`) is left
    out: what it gave the run is not known here, and calling it can have effects.

    Raises ValueError where the file cannot be read as a config.
    """
    try:
        text = read_text(path)
        check_yaml(text, path)
        config = _load(text)
        for key in NOT_IDENTITY & config.keys():
            del config[key]
        return _flatten(config)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a config: {error}") from error


def _load(text: str) -> dict[str, Any]:
    """The content of a config, without the values that call resolvers.

    The configs of a sweep differ in a few lines, and YAML takes milliseconds to read: each top-level key is read once.
    """
    config: dict[str, Any] = {}
    for block in _TOP_LEVEL_KEY.split(text):
        if not block.strip():
            continue
        content = _load_block(block)
        if content is None or not config.keys().isdisjoint(content):
            return _parse(text)
        config.update(content)
    return config


# A key and a number, as YAML writes them; what a search draws differs in each run.
_NUMBER = re.compile(
    r"(?!(?:yes|no|on|off|true|false|null):)([a-z_]\w*): (?:(0|-?[1-9]\d*)|(-?\d+\.\d+(?:e[+-]\d+)?))\n?",
    re.ASCII | re.IGNORECASE,
)


@lru_cache(maxsize=20_000)
def _load_block(block: str) -> dict[str, Any] | None:
    """The content of a top-level key; None where the text is not that, or leans on another part of the file."""
    if (number := _NUMBER.fullmatch(block)) is not None:
        return {number[1]: float(number[3]) if number[2] is None else int(number[2])}
    if not re.match(r"\w+:\s", block) or re.search(r"(^|\s)[&*]\w", block):
        return None
    try:
        return _parse(block)
    except (yaml.YAMLError, OmegaConfBaseException, TypeError):
        return None


def _parse(text: str) -> dict[str, Any]:
    config = OmegaConf.load(io.StringIO(text))
    if not isinstance(config, DictConfig):
        raise TypeError(f"it holds {type(config).__name__}, a mapping is expected")
    content = OmegaConf.to_container(config)
    assert isinstance(content, dict)
    return {str(key): value for key, value in as_plain(_without_resolver_calls(content)).items()}


def _without_resolver_calls(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if isinstance(value, dict) or not _calls_resolver(value)}
    return {key: _without_resolver_calls(value) for key, value in kept.items()}


def _calls_resolver(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_calls_resolver(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and bool(called_resolvers(value))


def _flatten(config: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    _add_leaves(flat, config)
    if any("${" in value for value in flat.values() if isinstance(value, str)):
        flat = dict(_resolved_leaves(OmegaConf.create(config)))
    return {name: value for name, value in flat.items() if value != _MISSING}


def _add_leaves(flat: dict[str, Any], node: dict[str, Any], prefix: str = "") -> None:
    for key, value in node.items():
        if isinstance(value, dict):
            _add_leaves(flat, value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value) if isinstance(value, list) else value


def _resolved_leaves(node: DictConfig, prefix: str = "") -> Any:
    for key in node:
        try:
            value = node[key]
            if OmegaConf.is_list(value):
                value = str(OmegaConf.to_container(value, resolve=True))
        except OmegaConfBaseException:
            # A missing value (???), or a reference to a key that was left out: there is nothing to show.
            continue
        if isinstance(value, DictConfig):
            yield from _resolved_leaves(value, f"{prefix}{key!s}.")
        else:
            yield prefix + str(key), value

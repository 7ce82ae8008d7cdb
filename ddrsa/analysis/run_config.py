"""A run's config as flat names and values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

# Where a run happened, what it read and how its sweep was done, which is no part of what was tried.
NOT_HYPERPARAMETERS = frozenset(
    {"hydra", "device", "gpus", "runs_per_gpu", "gpu_index", "data_dir", "cache_dir"}
    | {"only", "exclude", "zip", "dry_run", "retries", "timeout", "max_failures", "visualize"}
)

_RESOLVER_CALL = re.compile(r"\$\{[^}]*:")


def read_run_config(path: Path) -> dict[str, Any]:
    """The hyperparameters in a `.hydra/config.yaml`, nested keys as dotted names, lists as their text.

    Interpolations of other keys are resolved. A value that calls a resolver (`${oc.env:HOME}`, `${gpu_index:}`) is left
    out: what it gave the run is not known here, and calling it can have effects.

    Raises ValueError where the file cannot be read as a config.
    """
    try:
        loaded = OmegaConf.load(path)
        config = OmegaConf.create(_without_resolver_calls(OmegaConf.to_container(loaded)))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"{path} cannot be read as a config: {error}") from error
    if not isinstance(config, DictConfig):
        raise ValueError(f"{path} holds {type(config).__name__}, a mapping is expected")
    for key in NOT_HYPERPARAMETERS & config.keys():
        del config[key]
    return _flatten(config)


def _without_resolver_calls(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if isinstance(value, dict) or not _calls_resolver(value)}
    return {key: _without_resolver_calls(value) for key, value in kept.items()}


def _calls_resolver(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_calls_resolver(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and _RESOLVER_CALL.search(value) is not None


def _flatten(config: DictConfig, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key in config:
        name = prefix + str(key)
        try:
            value = config[key]
            if isinstance(value, ListConfig):
                value = str(OmegaConf.to_container(value, resolve=True))
        except OmegaConfBaseException:
            # A missing value (???), or a reference to a key that was left out: there is nothing to show.
            continue
        if isinstance(value, DictConfig):
            flat |= _flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat

"""Objects of the user's code, by the dotted path that a config has."""

from __future__ import annotations

from typing import Any

from hydra.utils import get_object

from ddrsa.errors import ConfigError


def find_object(key: str, path: str) -> Any:
    """The function or class at `path`. Raises ConfigError, which names the config's `key`, where there is none."""
    try:
        found = get_object(path)
    except Exception as error:  # whatever importing that module raises
        raise ConfigError(f"{key}={path}: it cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigError(f"{key}={path}: it is neither a function nor a class")
    return found

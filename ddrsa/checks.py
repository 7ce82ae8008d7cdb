"""The check of a value of the config, with one wording."""

from __future__ import annotations

from typing import Any

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text


def require(key: str, value: Any, holds: bool, allowed: str) -> None:
    """Raise ConfigError `key=value: allowed is ...`, the value as on the command line, unless `holds`."""
    if not holds:
        raise ConfigError(f"{key}={override_text(value)}: allowed is {allowed}")

"""The check of a value of the config, with one wording."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text


def require(key: str, value: Any, holds: bool, allowed: str) -> None:
    """Raise ConfigError `key=value: allowed is ...`, the value as on the command line, unless `holds`."""
    if not holds:
        raise ConfigError(f"{key}={override_text(value)}: allowed is {allowed}")


def did_you_mean(wrong: str, known: Iterable[Any]) -> str:
    """`. Did you mean 'batch_size'?`, to be put behind a sentence; empty where none of `known` is like `wrong`."""
    matches = difflib.get_close_matches(wrong, map(str, known), n=1)
    return f". Did you mean '{matches[0]}'?" if matches else ""

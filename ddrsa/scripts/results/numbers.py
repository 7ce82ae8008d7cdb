"""Numbers of nested values, the results apart from what a script was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddrsa.rundir.finite import finite

# Beneath these keys stands how a script was configured.
CONFIGURATION_KEYS = frozenset(
    {
        *("config", "configs", "configuration", "cfg", "args", "arguments", "argv", "hparams", "hyperparameters"),
        *("hyper_parameters", "hyperparams", "params", "parameters", "settings", "options"),
    }
)


@dataclass
class Numbers:
    """Numbers by their names. results: what came of the script. configuration: what it was told."""

    results: dict[str, float] = field(default_factory=dict)
    configuration: dict[str, float] = field(default_factory=dict)


def numbers_of(content: Mapping[str, Any]) -> Numbers:
    """Every number in nested mappings; names are joined by dots. Lists are left out, and so are true and false."""
    found = Numbers()
    for name, number, told in _walk(content, "", told=False):
        (found.configuration if told else found.results)[name] = number
    return found


def _walk(content: Mapping[Any, Any], prefix: str, told: bool) -> Iterator[tuple[str, float, bool]]:
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _walk(value, f"{name}.", told or str(key).lower() in CONFIGURATION_KEYS)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, finite(value), told

"""Comparability of the trials of a search: one objective means the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import DictConfig

from ddrsa.errors import ConfigError


class Comparability:
    """Compares what each config of a search must have in common with that of the first.

    comparable: from a config to the names and values of what is to be the same, or None; None compares nothing.
    """

    def __init__(self, comparable: Callable[[DictConfig], Mapping[str, Any] | None] | None) -> None:
        self.comparable = comparable
        self.first: Mapping[str, Any] | None = None

    def check(self, config: DictConfig) -> None:
        """Raise ConfigError where `config` cannot be compared with the first that was checked."""
        found = None if self.comparable is None else self.comparable(config)
        if found is None:
            return
        if self.first is None:
            self.first = found
        differing = {key for key in {*self.first, *found} if self.first.get(key) != found.get(key)}
        if differing:
            shown = ", ".join(f"{key}={self.first.get(key)} and {found.get(key)}" for key in sorted(differing))
            raise ConfigError(
                f"a search cannot compare runs with {shown}: their objectives measure different things; "
                f"set {' and '.join(sorted(differing))} to one value for all"
            )

"""Presentation of the runs of a sweep: the keys that name, group, rank and show them.

`hydra.launcher` tells them, and the manifest keeps them for `watch`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from omegaconf import OmegaConf

from ddrsa.better import MAXIMIZE, name_says_higher
from ddrsa.overrides import override_key

KEY = "presentation"
"""Its key in experiment_manifest.json."""


@dataclass(frozen=True)
class Presentation:
    """The options of `ddrsa.sweep.config.SupervisedLauncherConf` of the same names."""

    not_identity: list[str] = field(default_factory=list)
    kind_keys: list[str] = field(default_factory=list)
    rank_by: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    comparable_by: str | None = None
    value_name: str | None = None
    direction: str | None = None

    @classmethod
    def of(cls, values: Any) -> Presentation:
        """From a config or a mapping that may have these keys and others: `hydra.launcher`, the manifest's entry."""
        given = {each.name: (values or {}).get(each.name) for each in fields(cls)}
        plain: Any = {
            key: OmegaConf.to_object(value) if OmegaConf.is_config(value) else value
            for key, value in given.items()
            if value is not None
        }
        return cls(**plain)

    def as_entry(self) -> dict[str, Any]:
        """For the manifest, from which `watch` reads it."""
        return {KEY: asdict(self)}

    def kind_of(self, config: Mapping[Any, Any]) -> str:
        """The values of `kind_keys` in a run's config, which runs of about the same duration share."""
        return json.dumps([config.get(key) for key in self.kind_keys], sort_keys=True, default=str)

    @property
    def highest_first(self) -> bool:
        """Whether what the task returns is better the higher it is: by `direction`, or by what it is called."""
        if self.direction is not None:
            return self.direction == MAXIMIZE
        return self.value_name is not None and name_says_higher(self.value_name)

    def short_name(self, overrides: Iterable[str]) -> str:
        """Those overrides that say what a run is, and not where and how it is done."""
        keys = ((override_key(each), each) for each in overrides)
        return " ".join(
            each for key, each in keys if key not in self.not_identity and not key.startswith(("hydra.", "hydra/"))
        )

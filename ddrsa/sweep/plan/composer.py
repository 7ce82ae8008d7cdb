"""Composition of the configs of a sweep's jobs. Hydra reads the files anew for each, in a twentieth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cloudpickle
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddrsa.compat_hydra import apply_overrides, note_override_dirname
from ddrsa.sweep.plan.choices import Choices


class Composer:
    """Composes the configs of jobs as `config_loader.load_sweep_config` does, the files once for each choice of groups.

    What a job does to its config beyond the choice of groups, Hydra applies last and in the order of the overrides; so
    it can as well be applied to a copy. The files are taken as they were at the first job.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader) -> None:
        """config: of the sweep."""
        self.config = config
        self.loader = loader
        self._name: str | None = config.hydra.job.config_name
        of_sweep: Any = OmegaConf.to_container(config.hydra.overrides.hydra)  # as written, with its interpolations
        self._of_sweep: list[str] = of_sweep
        self._parser = OverridesParser.create()
        self._is_group: dict[str, bool] = {}
        self.choices = Choices(self._parser.parse_override, self._chooses)
        self._composed: dict[tuple[str, ...], bytes] = {}  # pickled: a copy is several times as fast as by deepcopy

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The config of one job. Raises Hydra's errors."""
        parsed = self._parser.parse_overrides(list(overrides))
        groups = [override for override in parsed if self._chooses(override)]
        values = [override for override in parsed if override not in groups]
        config = self._of_groups(tuple(str(override.input_line) for override in groups))
        try:
            apply_overrides(values, config)
            self._note(config, parsed)
        except OmegaConfBaseException as error:
            raise ConfigCompositionException().with_traceback(error.__traceback__) from error
        OmegaConf.copy_cache(from_config=self.config, to_config=config)
        return config

    def _chooses(self, override: Override) -> bool:
        """Whether it says which files the config is made of, as Hydra tells."""
        if override.is_sweep_override() or override.package is not None:
            return True
        group = override.key_or_group
        if group not in self._is_group:
            options = self.loader.get_group_options(group, None, self._name, self._of_sweep)
            self._is_group[group] = bool(options)
        return self._is_group[group] and not isinstance(override.value(), dict)

    def _of_groups(self, groups: tuple[str, ...]) -> DictConfig:
        if groups not in self._composed:
            composed = self.loader.load_configuration(self._name, [*self._of_sweep, *groups], RunMode.RUN)
            self._composed[groups] = cloudpickle.dumps(composed)
        config: DictConfig = cloudpickle.loads(self._composed[groups])
        return config

    def _note(self, config: DictConfig, overrides: Sequence[Override]) -> None:
        """Write into `config.hydra` what the job was given."""
        task = [override for override in overrides if not override.is_hydra_override()]
        hydra = [override.input_line for override in overrides if override.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in task]
        config.hydra.overrides.hydra = [*self._of_sweep, *hydra]
        note_override_dirname(config, task)

"""Hydra's sweeper plugin around a race: `hydra/sweeper=race`."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, ListConfig, OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_parts, override_text
from ddrsa.rundir.files import atomic_write, make_directory, refuse_links, require_writable
from ddrsa.rundir.race_record import LOOKS, RACE
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.planned_run import PlannedRun, plan_runs
from ddrsa.sweep.race.candidates import best_of_search
from ddrsa.sweep.race.config import RaceSweeperConf, rules_of
from ddrsa.sweep.race.driver import RaceRuns
from ddrsa.sweep.race.race import Entry, Race
from ddrsa.sweep.race.record import RaceRecord
from ddrsa.sweep.supervise.failures import SweepFailed
from ddrsa.sweep.supervise.session import SessionLauncher
from ddrsa.sweep.sweeper import CheckedSweeper, without_doubles
from ddrsa.texts import count_of

log = logging.getLogger(__name__)


class RaceSweeper(CheckedSweeper):
    """Gives configurations repeats one after another, and ends when it is known which is the best.

    The configurations are a grid, as `hydra/sweeper=checked` takes it, or the best trials of a search.
    """

    def __init__(self, **options: Any) -> None:
        """See `ddrsa.sweep.race.config.RaceSweeperConf`. Raises ConfigError on values that are not allowed."""
        plain: dict[str, Any] = {
            key: OmegaConf.to_container(value, resolve=True) if isinstance(value, DictConfig | ListConfig) else value
            for key, value in options.items()
        }
        self.options = RaceSweeperConf(**plain)
        of_grid = [field.name for field in fields(RaceSweeperConf.__mro__[1]) if field.name != "_target_"]
        super().__init__(**{name: getattr(self.options, name) for name in of_grid})
        self.repeats = _listed(self.options)
        self.rules = rules_of(self.options, None if self.repeats is None else len(self.repeats))

    def _sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        options, launcher = self.options, self.launcher
        if not isinstance(launcher, SessionLauncher):
            raise ConfigError(
                "hydra/sweeper=race: a run starts when others have ended, which this launcher cannot do; "
                "hydra/launcher=supervised, ray and slurm can"
            )
        repeats = self._repeats(arguments)
        first, last = repeats[0], repeats[self.rules.most - 1]
        jobs = [[*job, *first] for job in self._configurations(arguments)]
        configurations = without_doubles(self._plan(jobs))
        self._plan([[*job[: -len(first)], *last] for job in jobs])
        keys = [override_parts(text)[0] for text in first]
        labels = [_label(run, keys) for run in configurations]
        sweep_dir = Path(str(self.config.hydra.sweep.dir)).absolute()
        race = Race(len(labels), self.rules, maximize=options.direction == "maximize", max_runs=options.max_runs)
        if self.dry_run:
            self._print(labels, sweep_dir)
            return []
        require_writable(sweep_dir, "hydra.sweep.dir")
        make_directory(sweep_dir, sweep_dir)
        refuse_links(sweep_dir, (RACE, LOOKS))
        with atomic_write(sweep_dir / CONFIG) as stream:
            OmegaConf.save(self.config, stream)
        record = RaceRecord(sweep_dir, race, labels, keys, options.objective or "value")
        composer = Composer(self.config, self.hydra_context.config_loader)

        def plan(entry: Entry) -> PlannedRun:
            number, repeat = entry
            configuration = configurations[number]
            overrides = [*configuration.overrides[: -len(first)], *repeats[repeat]]
            (run,) = plan_runs(composer, [overrides], number * self.rules.most + repeat)
            of_repeat = dict(map(override_parts, repeats[repeat]))
            return replace(run, values={**configuration.values, **of_repeat})

        runs = RaceRuns(race, record, options, plan)
        stopped = runs.drive(launcher)
        if runs.failures:
            raise SweepFailed(runs.failures, runs.started, stopped=stopped) from runs.failures[0].error
        return []

    def _configurations(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each configuration."""
        if self.options.candidates is None:
            return self._grid(arguments)
        found = best_of_search(Path(self.options.candidates), self.options.top)
        log.info("the race is between the %d best trials of %s", len(found), self.options.candidates)
        given = self._grid(arguments)
        if len(given) > 1:
            raise ConfigError("hydra.sweeper.candidates: the configurations are a search's, give each key one value")
        keys = {override_parts(text)[0] for text in given[0]}
        return [[*(text for text in job if override_parts(text)[0] not in keys), *given[0]] for job in found]

    def _repeats(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each repeat."""
        given = {override_parts(text)[0] for text in arguments}
        if self.repeats is not None:
            for key in (self.options.repeat_values or {}).keys() & given:
                raise ConfigError(f"{key} stands in hydra.sweeper.repeat_values and on the command line: give it once")
            return self.repeats
        key = self.options.repeat_key
        if key in given:
            raise ConfigError(f"{key} counts the repeats of the race (hydra.sweeper.repeat_key): do not give it values")
        first = OmegaConf.select(self.config, key) if self.config is not None else None
        if not isinstance(first, int) or isinstance(first, bool):
            raise ConfigError(
                f"hydra.sweeper.repeat_key={key}: the config has {key}={first}, a whole number is expected, which "
                "counts the repeats"
            )
        return [[f"{key}={first + number}"] for number in range(self.rules.most)]

    def _print(self, labels: Sequence[str], sweep_dir: Path) -> None:
        rules = self.rules
        print(f"dry run: nothing is started, nothing is written; the sweep is {sweep_dir}")
        configurations = count_of(len(labels), "configuration")
        print(f"a race of {configurations}, {rules.least} to {count_of(rules.most, 'run')} of each")
        for label in labels:
            print(f"    {label}")
        most = len(labels) * rules.most if self.options.max_runs is None else self.options.max_runs
        print(f"{len(labels) * rules.least} to {count_of(most, 'run')}")


def _listed(options: RaceSweeperConf) -> list[list[str]] | None:
    """The overrides of each repeat by `repeat_values`, None where there are none."""
    values = options.repeat_values
    if values is None:
        return None
    if (
        not isinstance(values, dict)
        or not all(isinstance(each, list) and each for each in values.values())
        or not values
    ):
        raise ConfigError(
            f"hydra.sweeper.repeat_values={override_text(values)}: keys with lists of values are expected, such as "
            "{fold: [0, 1, 2], seed: [0, 1]}"
        )
    keys = list(values)
    combined = itertools.product(*(values[key] for key in reversed(keys)))
    return [
        [f"{key}={override_text(value)}" for key, value in zip(keys, reversed(each), strict=True)] for each in combined
    ]


def _label(run: PlannedRun, keys: Sequence[str]) -> str:
    """The swept values of a configuration."""
    shown = [f"{key}={value}" for key, value in run.values.items() if key not in keys]
    return " ".join(shown) or "the configuration"

"""Options of a race, as Hydra's config group `hydra/sweeper=race` has them."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.sweep.config import PLUGINS, CheckedSweeperConf
from ddrsa.sweep.race.standings import Rules

log = logging.getLogger(__name__)

_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")


@dataclass
class RaceSweeperConf(CheckedSweeperConf):
    """The config of `hydra/sweeper: race`. docs/race.md explains the keys."""

    _target_: str = f"{PLUGINS}.RaceSweeper"
    repeats: Any = "3..20"  # of a configuration: before it is judged, and at the most
    repeat_key: str = "seed"  # the key in which they differ: its value, and the next ones
    repeat_values: Any = None  # in its place: keys with lists of values, all combinations, the first key the fastest
    delta: float = 0.0  # a difference of the objective that does not matter
    error: float = 0.05  # the probability, at most, that the answer is wrong
    noise: str = "shared"  # shared: all configurations are about equally noisy; own: each pair by its own differences
    direction: str = "minimize"  # or maximize
    objective: str | None = None  # a metric of test_metrics.json; null: the value that the task returns
    max_runs: int | None = None  # of the race; null: configurations times repeats
    n_jobs: int | None = None  # runs at once; null: as many as the launcher runs at once
    grid: bool = False  # no race: do the values that are given as a grid
    candidates: str | None = None  # directory of a search: the race is between its best trials
    top: int = 8  # so many of them


def rules_of(conf: RaceSweeperConf, most: int | None = None) -> Rules:
    """The rules of a race. most: repeats that there are, where they are listed. Raises ConfigError."""
    least, given = _repeats(conf.repeats)
    if most is not None:
        require("hydra.sweeper.repeat_values", conf.repeat_values, most >= 2, "two combinations of values or more")
        if given != most:
            log.info(
                "hydra.sweeper.repeats=%s, and repeat_values have %d combinations: at most %d of them are used",
                conf.repeats,
                most,
                min(given, most),
            )
        given = min(given, most)
    least = min(least, given)
    finite = isinstance(conf.delta, int | float) and 0 <= conf.delta < float("inf")
    require("hydra.sweeper.delta", conf.delta, finite, "0 or more, in the unit of the objective")
    require("hydra.sweeper.error", conf.error, 0 < conf.error < 1, "above 0 and below 1, 0.05 for one race in twenty")
    require("hydra.sweeper.noise", conf.noise, conf.noise in ("shared", "own"), "shared or own")
    known = conf.direction in ("minimize", "maximize")
    require("hydra.sweeper.direction", conf.direction, known, "minimize or maximize")
    for name in ("max_runs", "n_jobs", "top"):
        value = getattr(conf, name)
        require(f"hydra.sweeper.{name}", value, value is None or value >= 1, "1 or more")
    return Rules(least, given, float(conf.delta), float(conf.error), conf.noise == "shared")


def _repeats(text: Any) -> tuple[int, int]:
    match = _RANGE.fullmatch(str(text))
    if match is None:
        raise ConfigError(f"hydra.sweeper.repeats={text}: allowed is 3..20, or one number for as many of each")
    least, most = int(match[1]), int(match[2] or match[1])
    require("hydra.sweeper.repeats", text, 2 <= least <= most, "a range from 2 or more on, such as 3..20")
    return least, most

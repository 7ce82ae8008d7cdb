"""Repeats of a trial: runs that differ in a seed or a fold, whose mean is the value of the trial."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna import pruners
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_parts
from ddrsa.sweep.config import REPEAT_VARIABLE
from ddrsa.sweep.search.space import SearchSpace

log = logging.getLogger(__name__)

# Keys of the last part of a parameter that only repeat a configuration.
_OF_REPEATS = ("seed", "fold")

# They compare the progress of trials, step by step; the steps of repeats have no order.
_OF_PROGRESS = (
    pruners.MedianPruner,
    pruners.PercentilePruner,
    pruners.SuccessiveHalvingPruner,
    pruners.HyperbandPruner,
    pruners.PatientPruner,
)
# Of the signed-rank test that a trial is worse than the best.
P_THRESHOLD = 0.1


@dataclass(frozen=True)
class Repeats:
    """The runs of a trial: `count` of them, with the values `first`, `first` + 1, ... of `key`."""

    count: int
    key: str
    first: int = 0

    @classmethod
    def of(cls, count: int, key: str, space: SearchSpace, config: DictConfig) -> Repeats:
        """From `hydra.sweeper.repeats` and `repeat_key`. Raises ConfigError where the key cannot count the repeats."""
        if count == 1:
            return cls(1, key)
        shown = f"hydra.sweeper.repeats={count}"
        if key in space.distributions:
            raise ConfigError(f"{shown}: {key} is searched, and counts the repeats of each trial: give it one value")
        first = space.fixed_values.get(key, OmegaConf.select(config, key))
        if not isinstance(first, int) or isinstance(first, bool):
            raise ConfigError(
                f"{shown}: the config has {key}={first}, a whole number is expected, which counts the repeats; "
                "hydra.sweeper.repeat_key names another key, such as seed or fold"
            )
        return cls(count, key, first)

    @property
    def values(self) -> list[int]:
        """The value of `key` in each run of a trial."""
        return list(range(self.first, self.first + self.count))

    def overrides(self, of_trial: Sequence[str], number: int) -> list[str]:
        """Those of the `number`-th run of a trial; of a trial that is one run, as they are."""
        if self.count == 1:
            return list(of_trial)
        given = next((text for text in of_trial if override_parts(text)[0] == self.key), "")
        added = given[: len(given) - len(given.lstrip("+"))]  # a key that the config does not have: +seed=0
        own = [f"{added}{self.key}={self.first + number}", f"++hydra.job.env_set.{REPEAT_VARIABLE}={number}"]
        return [*(text for text in of_trial if override_parts(text)[0] != self.key), *own]


def warn_of_searched_repeats(parameters: Iterable[str]) -> None:
    """Say so where a seed or a fold is a parameter of the search."""
    for name in parameters:
        if name.rpartition(".")[2] in _OF_REPEATS:
            log.warning(
                "%s is searched like a hyperparameter, so the best is the luckiest; hydra.sweeper.repeats=3 "
                "hydra.sweeper.repeat_key=%s takes the mean over several instead",
                name,
                name,
            )


def pruner_of_repeats(chosen: BasePruner, count: int, p_threshold: float | None = None) -> BasePruner:
    """The pruner of trials with `count` repeats: WilcoxonPruner where `chosen` compares the progress of trials."""
    if isinstance(chosen, pruners.WilcoxonPruner):
        return chosen if p_threshold is not None else _wilcoxon(count)
    if not isinstance(chosen, _OF_PROGRESS):
        return chosen
    log.info(
        "trials of %d repeats are pruned by Optuna's WilcoxonPruner: %s compares steps of one run",
        count,
        type(chosen).__name__,
    )
    return _wilcoxon(count)


def _wilcoxon(count: int) -> BasePruner:
    """With a threshold that a trial can fall below before its last repeat.

    Of n repeats that are all worse than those of the best trial, the test gives p = 2^-n.
    """
    if find_spec("scipy") is None:
        raise ConfigError(
            "hydra.sweeper.repeats: the pruner of repeats, WilcoxonPruner, needs scipy: pip install scipy, or "
            "hydra/sweeper/pruner=none"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return pruners.WilcoxonPruner(p_threshold=max(P_THRESHOLD, 1.01 * 2.0 ** -(count - 1)))


def mean_of(results: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each objective over the repeats."""
    return [sum(values) / len(results) for values in zip(*results, strict=True)]


def shown_values(values: Iterable[Any]) -> str:
    """For an override that sweeps over them."""
    return ",".join(map(str, values))

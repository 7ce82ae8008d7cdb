"""Check of a search space before the search starts: its values make configs that can be run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import optuna
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ddrsa.errors import ConfigError
from ddrsa.sweep.search.space import SearchSpace

# Trials that are tried where a function adds parameters of its own.
REHEARSALS = 5


def check_space(space: SearchSpace, config: DictConfig, check: Callable[[Sequence[str]], object]) -> None:
    """Check each value to choose from, and the ends of each interval, in two configs: with the first, and with the last
    values of all other parameters. Where `custom_search_space` adds parameters, a few random trials are checked.

    check: raises ConfigError, or an error of Hydra, on the overrides of a job that cannot be run.

    Raises what `check` raises for a value that is good in neither, or where no random trial is good. Other combinations
    that cannot be run are found when they are tried, and are failed trials.
    """
    if space.extend is not None:
        _rehearse(space, config, check)
        return
    if not space.distributions:
        check(space.overrides({}))
    known: dict[tuple[str, ...], Exception | None] = {}
    for _, _, candidates in space.corners():
        errors = []
        for params in candidates:
            overrides = tuple(space.overrides(params))
            if overrides not in known:
                known[overrides] = _error(check, overrides)
            error = known[overrides]
            if error is None:
                break
            errors.append(error)
        else:
            raise errors[0]


def _rehearse(space: SearchSpace, config: DictConfig, check: Callable[[Sequence[str]], object]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    errors: list[Exception] = []
    for _ in range(REHEARSALS):
        try:
            params = space.suggest(study.ask(), config)
        except optuna.TrialPruned:
            return  # it skips some trials: that is no mistake
        except ConfigError as error:
            errors.append(error)
            continue
        unusable = _error(check, space.overrides(params))
        if unusable is None:
            return
        errors.append(unusable)
    raise errors[0]


def _error(check: Callable[[Sequence[str]], object], overrides: Sequence[str]) -> Exception | None:
    try:
        check(overrides)
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        return error
    return None

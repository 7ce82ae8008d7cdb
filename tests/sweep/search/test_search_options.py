"""The options of `hydra/sweeper: optuna`, as Hydra gives them to the plugin."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.sweep.search.config import OptunaSweeperConf
from ddrsa.sweep.search.sweeper import OptunaSweeper


def sweeper(**changed: Any) -> OptunaSweeper:
    schema = OmegaConf.structured(OptunaSweeperConf)
    config = OmegaConf.merge(schema, OmegaConf.create({"sampler": {}, "pruner": {}, **changed}))
    assert isinstance(config, DictConfig)
    return OptunaSweeper(**{str(key): config[key] for key in config if not str(key).startswith("_")})


def test_values_are_plain() -> None:
    options = sweeper(direction=["minimize", "maximize"], enqueue=[{"x": 1}], n_trials="7").options
    assert options.directions == ["minimize", "maximize"]
    assert type(options.direction) is list
    assert type(options.enqueue[0]) is dict
    assert options.n_trials == 7
    assert sweeper().options.directions == ["minimize"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials=0: allowed is 1 or more"),
        ({"n_jobs": 0}, "hydra.sweeper.n_jobs=0: allowed is 1 or more, or null"),
        ({"n_jobs": -1}, "hydra.sweeper.n_jobs=-1: allowed is 1 or more, or null"),
        ({"max_failure_rate": 1.5}, "hydra.sweeper.max_failure_rate=1.5: allowed is 0 to 1"),
        ({"direction": ["minimize", "down"]}, r"hydra.sweeper.direction=\[minimize,down\]: allowed is minimize or"),
        ({"direction": []}, r"hydra.sweeper.direction=\[\]: allowed is"),
        ({"direction": ["minimize"], "objective": ["a", "b"]}, "each objective needs its direction"),
        ({"direction": ["minimize"] * 2, "objective": "a"}, "is one objective for 2 directions"),
        ({"enqueue": [3]}, r"hydra.sweeper.enqueue=\[3\]: allowed is a list such as"),
        ({"exclude": "x > 1"}, "hydra.sweeper.exclude=x > 1: it chooses among the runs of a grid"),
        ({"zip": ["a"]}, r"hydra.sweeper.zip=\['a'\]: it chooses among the runs of a grid"),
    ],
)
def test_values_that_are_not_allowed(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sweeper(**changed)

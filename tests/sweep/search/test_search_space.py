"""Overrides as distributions, as hydra-optuna-sweeper reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ddrsa.errors import ConfigError
from ddrsa.sweep.search.space import SearchSpace, choice_text, parse_search_space


def parse(*overrides: str, **options: Any) -> SearchSpace:
    return parse_search_space(overrides, OverridesParser.create(), **options)


@pytest.mark.parametrize(
    ("override", "distribution"),
    [
        ("key=choice(1,2)", CategoricalDistribution([1, 2])),
        ("key=choice(true,false)", CategoricalDistribution([True, False])),
        ("key=choice('hello','world')", CategoricalDistribution(["hello", "world"])),
        ("key='a b','c,d'", CategoricalDistribution(["'a b'", "'c,d'"])),
        ("key=1,2", CategoricalDistribution([1, 2])),
        ("key=lstm,gru", CategoricalDistribution(["lstm", "gru"])),
        ("key=shuffle(range(1,3))", None),
        ("key=range(1,3)", IntDistribution(1, 2)),
        ("key=range(0,10,step=3)", IntDistribution(0, 9, step=3)),
        ("key=range(0.1,0.5,step=0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("key=interval(1,5)", FloatDistribution(1, 5)),
        ("key=int(interval(1,5))", IntDistribution(1, 5)),
        ("key=tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("key=tag(log, int(interval(1, 100)))", IntDistribution(1, 100, log=True)),
        ("key=float(interval(1,5))", FloatDistribution(1, 5)),
    ],
)
def test_distributions(override: str, distribution: BaseDistribution | None) -> None:
    found = parse(override).distributions["key"]
    if distribution is None:
        assert isinstance(found, CategoricalDistribution)
        assert sorted(found.choices, key=str) == [1, 2]
    else:
        assert found == distribution


def test_a_range_has_the_values_that_a_grid_has() -> None:
    override = OverridesParser.create().parse_override("key=range(0,1,step=0.1)")
    values = [float(text) for text in override.sweep_string_iterator()]
    assert parse("key=range(0,1,step=0.1)").grid()["key"] == pytest.approx(values)


def test_the_command_line_goes_before_params_and_they_before_search_space() -> None:
    described = {"a": {"type": "int", "low": 1, "high": 4}, "b": {"type": "float", "low": 1, "high": 4, "log": True}}
    space = parse("x=1", "y=interval(0,1)", "~z", params={"x": "1,2", "y": 3, "b": 7}, search_space=described)
    assert space.fixed == {"x": "1", "b": "7"}
    assert list(space.distributions) == ["a", "y"]
    assert space.overrides({"a": 2, "y": 0.5}) == ["~z", "b=7", "x=1", "a=2", "y=0.5"]


def test_search_space_of_each_type() -> None:
    space = parse(
        search_space={
            "a": {"type": "categorical", "choices": [1, "b"]},
            "b": {"type": "int", "low": 1, "high": 9, "step": 2},
            "c": {"type": "float", "low": 0, "high": 1, "step": 0.25},
        }
    )
    assert space.distributions == {
        "a": CategoricalDistribution([1, "b"]),
        "b": IntDistribution(1, 9, step=2),
        "c": FloatDistribution(0, 1, step=0.25),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (0.1, "0.1"), ("lstm", "lstm"), ("a,b", "'a,b'"), ("'a b'", "'a b'"), (3, "3")],
)
def test_values_are_read_back_as_they_were(value: Any, text: str) -> None:
    assert choice_text(value) == text
    read = OverridesParser.create().parse_override(f"key={text}").value()
    assert read == (value.strip("'") if isinstance(value, str) else value)


def conditional(config: DictConfig, trial: optuna.Trial) -> None:
    if trial.params["model"] == "transformer":
        trial.suggest_categorical("model.num_heads", [config.heads, 8])


def overlapping(_: DictConfig, trial: optuna.Trial) -> None:
    trial.suggest_int("fixed", 1, 2)


def test_a_function_adds_parameters_on_a_condition() -> None:
    space = parse("model=lstm,transformer", custom_search_space=f"{__name__}.conditional")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [space.suggest(study.ask(), OmegaConf.create({"heads": 4})) for _ in range(20)]
    assert {params["model"] for params in seen} == {"lstm", "transformer"}
    assert all(("model.num_heads" in params) == (params["model"] == "transformer") for params in seen)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: parse("x=tag(log,interval(0,1))"), "x=tag\\(log,interval\\(0,1\\)\\): .*low"),
        (lambda: parse("x=interval(2,1)"), "goes from a lower to a higher value"),
        (lambda: parse("x=range(3,1)"), "there is no value to choose"),
        (lambda: parse("x=interval(0,1)").grid(), "x has infinitely many values"),
        (lambda: parse(search_space={"x": {"type": "bool"}}), "hydra.sweeper.search_space.x"),
        (lambda: parse(search_space={"x": {"type": "int", "low": 1}}), "KeyError: 'high'"),
        (lambda: parse(custom_search_space="no.such.function"), "custom_search_space=no.such.function"),
        (
            lambda: parse("fixed=1", custom_search_space=f"{__name__}.overlapping").suggest(
                optuna.create_study().ask(), OmegaConf.create({})
            ),
            "suggests fixed, which has a fixed value",
        ),
        (lambda: parse("x=1,2").enqueued(0, {"x": 3}), r"enqueue\[0\] has x=3: allowed is 1, 2"),
        (lambda: parse("x=interval(0,1)").enqueued(1, {"x": 2}), r"enqueue\[1\] has x=2: allowed is 0.0 to 1.0"),
        (lambda: parse("x=1,2").enqueued(0, {"y": 1}), "has y=1, which is not searched; searched are x"),
    ],
)
def test_what_is_not_allowed(run: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run()


def test_enqueued_values_become_choices() -> None:
    space = parse("x='c,d',null,2", "y=interval(0,1)")
    assert space.enqueued(0, {"x": "c,d", "y": 1}) == {"x": "'c,d'", "y": 1}
    assert space.enqueued(0, {"x": None}) == {"x": "null"}
    assert space.overrides({"x": "'c,d'", "y": 1.0}) == ["x='c,d'", "y=1.0"]

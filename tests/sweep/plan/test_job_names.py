from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.sweep.plan.job_names import is_list_of_names
from ddrsa.sweep.plan.selection import Selection


@pytest.mark.parametrize("text", ["als", "als,alz", "als, alz ,", "[als,alz]", "'als','alz'", "heart-*,x?", "01"])
def test_lists_of_names(text: str) -> None:
    assert is_list_of_names(text)


@pytest.mark.parametrize("text", ["seed > 3", "not x", "job == 'a'", "job in ('a', 'b')", "a and b", "", "a b"])
def test_expressions(text: str) -> None:
    assert not is_list_of_names(text)


def selected(only: str | None, exclude: str | None = None, *, jobs: str = "als alzheimers heart-risk") -> list[str]:
    selection = Selection(only, exclude, "scripts.job")
    configs = [OmegaConf.create({"scripts": {"job": job, "epochs": 3}}) for job in jobs.split()]
    names = [str(config.scripts.job) for config in configs if selection.wants(config, [])]
    selection.check_keys()
    return names


def test_names_and_patterns_select() -> None:
    assert selected("als,heart-risk") == ["als", "heart-risk"]
    assert selected("al*") == ["als", "alzheimers"]
    assert selected(None, "als") == ["alzheimers", "heart-risk"]
    assert selected("al*", "[als]") == ["alzheimers"]
    # Expressions stay what they are.
    assert selected("scripts.job == 'als' or scripts.epochs < 3") == ["als"]


@pytest.mark.parametrize("arguments", [("als,no",), (None, "no*"), ("als", "no")])
def test_a_name_that_no_job_has_is_an_error(arguments: tuple[str | None, ...]) -> None:
    with pytest.raises(ConfigError, match=r"there is no job no\*?, there are als, alzheimers, heart-risk"):
        selected(*arguments)


def test_without_a_key_for_names_a_name_is_an_expression() -> None:
    selection = Selection("als")
    with pytest.raises(ConfigError, match="als is no key of the config"):
        selection.wants(OmegaConf.create({"x": 1}), [])

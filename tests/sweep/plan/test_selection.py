from __future__ import annotations

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.sweep.plan.selection import Selection


def config(**values: Any) -> DictConfig:
    content = {
        "model": {"name": "gru", "hidden_size": 64},
        "batch_size": 64,
        "seed": 0,
        "num_folds": None,
        "units": [1, 2],
        "twice": "${times_two:${batch_size}}",
        "gpu_index": "${gpu_index:}",
        **values,
    }
    OmegaConf.register_new_resolver("times_two", lambda number: 2 * number, replace=True)
    return OmegaConf.create(content)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.name == 'gru' and batch_size > 32", True),
        ("model.name == 'gru' and batch_size > 64", False),
        ("model.name in ('lstm', 'gru')", True),
        ("not seed", True),
        ("batch_size % 3 == 1", True),
        ("32 < batch_size <= 64", True),
        ("-batch_size + 2*3 // 4 < 0.5", True),
        ("num_folds == null", True),
        ("num_folds is None", True),
        ("true", True),
        ("1 in units and units == [1, 2]", True),
        ("twice == 128", True),
        (" seed == 0\t", True),
        # Only what counts is read: this model has no such key.
        ("model.name == 'gru' or model.heads > 4", True),
    ],
)
def test_a_condition(text: str, expected: bool) -> None:
    assert Selection(only=text).wants(config(), []) is expected
    assert Selection(exclude=text).wants(config(), []) is not expected


def test_only_and_exclude_together() -> None:
    selection = Selection(only="batch_size > 32", exclude="seed == 1")
    assert [selection.wants(config(batch_size=size, seed=seed), []) for size in (32, 64) for seed in (0, 1)] == [
        False,
        False,
        True,
        False,
    ]
    assert str(selection) == 'only="batch_size > 32" and exclude="seed == 1"'
    assert not Selection()
    assert Selection().wants(config(), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model.nam == 'gru'", ": model.nam is no key of the config of the job seed=1. Did you mean 'model.name'?"),
        ("zzz == 1", ": zzz is no key of the config of the job seed=1"),
        ("model == 'gru'", ": model is a group of keys; name one of model.name, model.hidden_size"),
        ("gpu_index == 0", ": gpu_index=${gpu_index:} has no value before the job seed=1 starts"),
        ("batch_size", " is 64 for the job seed=1: it must be true or false"),
        ("batch_size > 'a'", " cannot be evaluated for the job seed=1: '>' not supported between instances of"),
        ("1 / seed > 2", " cannot be evaluated for the job seed=1: division by zero"),
        ("batch_size >", " cannot be read: invalid syntax"),
        ("", " cannot be read: invalid syntax"),
        ("seed=1", " cannot be read: values are compared with ==, and this has a single ="),
        ("batch_size >= 32 and seed = 1", " cannot be read: values are compared with =="),
        ("batch_size >= and seed == 1", " cannot be read: invalid syntax"),
        ("exit()", ": exit() is not allowed; allowed are comparisons"),
        ("__import__('os').system('true') == 0", " is not allowed; allowed are comparisons"),
        ("().__class__ == 1", ": ().__class__ is not allowed; allowed are comparisons"),
        ("[x for x in units] == []", ": [x for x in units] is not allowed"),
        ("9 ** 9 > 1", "is not allowed; allowed are comparisons"),
        ("(lambda: 1) == 1", ": lambda: 1 is not allowed"),
        ("f'{seed}' == '0'", ": f'{seed}' is not allowed"),
    ],
)
def test_what_is_no_condition(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Selection(exclude=text).wants(config(), ["seed=1"])
    assert str(raised.value).startswith(f'exclude="{text}"')
    assert message in str(raised.value)


def test_a_wrong_key_shows_although_it_was_never_read() -> None:
    selection = Selection(only="seed == 7 and model.heads > 4 and batchsize > 1")
    assert not selection.wants(config(), [])
    with pytest.raises(ConfigError, match=r"batchsize is no key of the config\. Did you mean 'batch_size'\?"):
        selection.check_keys()
    # A key that one of the jobs has is right.
    selection = Selection(only="model.name == 'transformer' and model.heads > 4")
    assert not selection.wants(config(), [])
    assert selection.wants(config(model={"name": "transformer", "heads": 8}), [])
    selection.check_keys()


@pytest.mark.parametrize(
    "text",
    ["'a' * 9999999999 == 'b'", "'%999999999999d' % 1 == ''", "[0] * 10**9 == []", "-" * 9000 + "1 == 1", "1 " * 9999],
)
def test_no_expression_takes_the_memory_of_the_machine(text: str) -> None:
    with pytest.raises(ConfigError, match="only"):
        Selection(only=text).wants(OmegaConf.create({"seed": 1}), [])


def test_products_and_remainders_of_numbers() -> None:
    seven = OmegaConf.create({"seed": 7})
    assert Selection(only="seed * 2 + 1 == 15 and seed % 4 == 3").wants(seven, [])

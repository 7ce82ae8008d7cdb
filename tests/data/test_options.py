from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ddrsa.data.load import SOURCES
from ddrsa.data.options import DATASET_OPTIONS, SimulatedOptions, TurbofanOptions, check_dataset_options
from ddrsa.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf" / "dataset"

# Keys without a default.
NEEDED: dict[str, dict[str, Any]] = {"table": {"path": "units.csv", "event_column": "failed"}}


def test_every_data_set_has_options_a_source_and_a_file() -> None:
    assert set(DATASET_OPTIONS) == set(SOURCES)
    for name in DATASET_OPTIONS:
        assert (CONF / f"{name}.yaml").is_file()


@pytest.mark.parametrize("name", sorted(DATASET_OPTIONS))
def test_the_config_file_has_every_key_and_allowed_values(name: str) -> None:
    needed = NEEDED.get(name, {})
    config = OmegaConf.merge(OmegaConf.load(CONF / f"{name}.yaml"), needed)
    assert isinstance(config, DictConfig)
    options = check_dataset_options(config)
    assert options == DATASET_OPTIONS[name](**needed)
    assert set(config) == set(vars(options))


@pytest.mark.parametrize("name", sorted(DATASET_OPTIONS))
def test_the_options_are_schemas_for_hydra(name: str) -> None:
    schema = OmegaConf.structured(DATASET_OPTIONS[name])
    values = {"scaling": "standard", **NEEDED.get(name, {})}
    merged = OmegaConf.merge(schema, values)
    assert isinstance(merged, DictConfig)
    assert check_dataset_options(merged).scaling == "standard"


def test_defaults_and_conversion() -> None:
    options = check_dataset_options({"name": "simulated", "noise": 2})
    assert isinstance(options, SimulatedOptions)
    assert isinstance(options.noise, float)
    assert check_dataset_options({"name": "turbofan"}) == TurbofanOptions()


def test_reading_options_leave_out_scaling_and_splitting() -> None:
    options = SimulatedOptions(scaling="standard", split_seed=3, num_units=7)
    assert options.reading_options() == {
        "name": "simulated",
        "num_units": 7,
        "num_conditions": 1,
        "num_fault_modes": 1,
        "censored_fraction": 0.0,
        "noise": 1.0,
        "simulation_seed": 0,
    }


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "dataset.name=null: allowed is simulated, turbofan"),
        ({"name": ["turbofan"]}, r"dataset.name=\[turbofan\]: allowed"),
        ({"name": "nasa"}, "dataset.name=nasa: allowed is simulated"),
        (
            {"name": "turbofan", "num_units": 3},
            "dataset.num_units is no key of the data set turbofan: allowed are",
        ),
        ({"name": "turbofan", "subset": "FD005"}, "dataset.subset=FD005: allowed is FD001, FD002"),
        ({"name": "turbofan", "scaling": "none"}, "dataset.scaling=none: allowed is minmax, standard, condition"),
        ({"name": "turbofan", "scaling": None}, "dataset.scaling=null"),
        ({"name": "turbofan", "test_fraction": 1.0}, "test_fraction=1.0: allowed is a number from 0 to below 1"),
        ({"name": "turbofan", "validation_fraction": 0}, "validation_fraction=0: allowed"),
        ({"name": "turbofan", "validation_fraction": float("nan")}, "validation_fraction=nan"),
        ({"name": "turbofan", "test_fraction": "0.3"}, "test_fraction='0.3'"),
        ({"name": "turbofan", "split_seed": -1}, "split_seed=-1"),
        ({"name": "turbofan", "split_seed": 0.5}, "split_seed=0.5: allowed is a whole number"),
        ({"name": "simulated", "num_units": 2}, "num_units=2: allowed is a whole number from 3 to 100000"),
        ({"name": "simulated", "num_units": True}, "num_units=true"),
        ({"name": "simulated", "num_conditions": 3}, "num_conditions=3: allowed is 1, 6"),
        ({"name": "simulated", "num_conditions": True}, "num_conditions=true"),
        ({"name": "simulated", "num_conditions": 6.0}, "num_conditions=6.0"),
        ({"name": "simulated", "num_fault_modes": 0}, "num_fault_modes=0: allowed is 1, 2"),
        ({"name": "simulated", "censored_fraction": 1}, "censored_fraction=1: allowed"),
        ({"name": "table", "event_column": "failed"}, "dataset.path is missing, the data set table needs it"),
        ({"name": "table", "path": ""}, "dataset.path='': allowed is a text"),
        ({"name": "table", "path": "a.csv"}, "nothing says when the event is: allowed is exactly one of"),
        (
            {"name": "table", "path": "a.csv", "event_column": "failed", "all_units_fail": True},
            "dataset.event_column and dataset.all_units_fail are set: allowed is exactly one",
        ),
        (
            {"name": "table", "path": "a.csv", "event_column": "e", "step": 0},
            "step=0: allowed is a number above 0, or",
        ),
        ({"name": "table", "path": "a.csv", "event_column": "e", "feature_columns": [1]}, r"feature_columns=\[1\]"),
        (
            {"name": "table", "path": "a.csv", "event_column": "e", "missing": "zero"},
            "missing=zero: allowed is forward",
        ),
        ({"name": "simulated", "noise": -0.1}, "noise=-0.1"),
        ({"name": "simulated", "simulation_seed": -1}, "simulation_seed=-1"),
    ],
)
def test_a_wrong_option_names_the_key_the_value_and_what_is_allowed(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_dataset_options(mapping)

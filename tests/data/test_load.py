from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddrsa.data import load
from ddrsa.data.load import Dataset, load_dataset
from ddrsa.errors import ConfigError, DataError

SIMULATED = {"name": "simulated", "num_units": 12}


def _load(tmp_path: Path, config: Mapping[str, Any] = SIMULATED, **arguments: Any) -> Dataset:
    defaults: dict[str, Any] = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache", "seed": 0}
    return load_dataset(config, **{**defaults, **arguments})


def test_the_parts_are_all_units_scaled_by_the_training_units(tmp_path: Path) -> None:
    dataset = _load(tmp_path)
    parts = (dataset.training, dataset.validation, dataset.test)
    ids = np.concatenate([part.unit_ids for part in parts])
    assert sorted(ids.tolist()) == list(range(1, 13))
    assert [part.num_units for part in parts] == [6, 2, 4]
    np.testing.assert_array_equal(dataset.training.features.min(axis=0), -1)
    np.testing.assert_array_equal(dataset.training.features.max(axis=0), 1)
    assert np.abs(dataset.test.features).max() > 1  # the scaler has not seen these units
    assert {part.feature_names for part in parts} == {dataset.scaler.kept_names}
    assert dataset.official is None
    assert dataset.name == "simulated"


def test_with_and_without_the_cache_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = _load(tmp_path, cache_dir=None)
    assert not (tmp_path / "cache").exists()
    first = _load(tmp_path)
    monkeypatch.setattr(load, "simulate_fleet", lambda _: pytest.fail("it was in the cache"))
    second = _load(tmp_path)
    for dataset in (first, second):
        np.testing.assert_array_equal(dataset.training.features, without.training.features)
        np.testing.assert_array_equal(dataset.test.unit, without.test.unit)
    # Scaling and splitting are no part of the entry; what is simulated is.
    _load(tmp_path, {**SIMULATED, "scaling": "standard", "split_seed": 4, "test_fraction": 0.5})
    with pytest.raises(pytest.fail.Exception, match="in the cache"):
        _load(tmp_path, {**SIMULATED, "simulation_seed": 1})


def test_a_changed_source_file_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "turbofan"
    folder.mkdir(parents=True)

    def write(lengths: list[int]) -> None:
        rows = [(unit, cycle) for unit, length in enumerate(lengths, start=1) for cycle in range(1, length + 1)]
        text = "".join(
            f"{unit} {cycle} " + " ".join(str(unit + cycle + n) for n in range(24)) + "\n" for unit, cycle in rows
        )
        (folder / "train.txt").write_text(text)

    config = {"name": "turbofan", "subset": "PHM08"}
    write([3, 4, 5, 6])
    assert _load(tmp_path, config).test.num_units == 1
    write([3, 4, 5, 6, 7, 8, 9])
    assert _load(tmp_path, config).test.num_units == 2


def test_the_split_seed_comes_from_the_options_or_else_from_the_run(tmp_path: Path) -> None:
    def test_units(config: Mapping[str, Any], seed: int) -> list[int]:
        return _load(tmp_path, config, seed=seed).test.unit_ids.tolist()

    of_the_run = {**SIMULATED, "split_seed": None}
    assert test_units(of_the_run, 1) == test_units({**SIMULATED, "split_seed": 1}, 2)
    assert test_units(of_the_run, 1) != test_units(of_the_run, 2)


def test_every_unit_is_tested_in_one_fold(tmp_path: Path) -> None:
    folds = [_load(tmp_path, num_folds=4, fold=fold).test.unit_ids for fold in range(4)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(1, 13))


def test_censored_units_are_in_every_part(tmp_path: Path) -> None:
    dataset = _load(tmp_path, {"name": "simulated", "num_units": 40, "censored_fraction": 0.5})
    for part in (dataset.training, dataset.validation, dataset.test):
        assert 0.3 < part.unit_event_observed.mean() < 0.7


def test_training_without_any_failure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="training units of simulated are censored"):
        _load(tmp_path, {**SIMULATED, "censored_fraction": 0.99})


def test_missing_files_are_said_before_the_cache_is_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no train_FD001\.txt"):
        _load(tmp_path, {"name": "turbofan"})
    assert not (tmp_path / "cache").exists()


def test_the_official_test_set_of_nasa_is_scaled_by_the_training_units(nasa_dir: Path, tmp_path: Path) -> None:
    dataset = _load(tmp_path, {"name": "turbofan"}, data_dir=nasa_dir)
    assert [part.num_units for part in (dataset.training, dataset.validation, dataset.test)] == [49, 21, 30]
    assert dataset.official is not None
    assert dataset.official.num_units == 100
    assert dataset.official.feature_names == dataset.training.feature_names
    assert dataset.official.time_to_event[30] == 112
    assert np.abs(dataset.official.features).max() < 2


def test_without_test_units_all_others_train_and_the_official_engines_test(nasa_dir: Path, tmp_path: Path) -> None:
    dataset = _load(tmp_path, {"name": "turbofan", "test_fraction": 0, "validation_fraction": 0.2}, data_dir=nasa_dir)
    assert (dataset.training.num_units, dataset.validation.num_units, dataset.test.num_units) == (80, 20, 100)
    assert dataset.official is not None
    np.testing.assert_array_equal(dataset.test.features, dataset.official.features)


def test_without_test_units_and_official_engines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"test_fraction is 0, .* but simulated has none"):
        _load(tmp_path, {**SIMULATED, "test_fraction": 0})


def test_loading_does_not_import_torch() -> None:
    code = "import sys, ddrsa.data.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

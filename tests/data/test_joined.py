"""Several subsets as one data set."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from ddrsa.data.load import Dataset, data_content, data_hash, load_dataset
from ddrsa.data.options import TurbofanOptions, check_dataset_options
from ddrsa.errors import ConfigError

LENGTHS = {"FD001": 10, "FD003": 7, "FD002": 5}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """FD001, FD002 and FD003 with 10, 5 and 7 engines, and official test engines of the first and the last."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "turbofan"
    folder.mkdir()

    def write(name: str, number: int) -> None:
        rows = [(u, c) for u in range(1, number + 1) for c in range(1, 6 + u)]
        values = rng.normal(size=(len(rows), 24)).round(3)
        lines = (f"{u} {c} {' '.join(map(str, row))}\n" for (u, c), row in zip(rows, values, strict=True))
        (folder / name).write_text("".join(lines))

    for subset, number in LENGTHS.items():
        write(f"train_{subset}.txt", number)
        if subset != "FD002":
            write(f"test_{subset}.txt", 3)
            (folder / f"RUL_{subset}.txt").write_text("7\n20\n3\n")
    return tmp_path


def _load(data_dir: Path, subset: object, **options: object) -> Dataset:
    return load_dataset({"name": "turbofan", "subset": subset, **options}, data_dir=data_dir, cache_dir=None, seed=0)


def test_each_subset_is_split_as_if_alone_and_keeps_its_names(data_dir: Path) -> None:
    both = _load(data_dir, ["FD003", "FD001"])
    for part in ("training", "validation", "test"):
        by_subset = both.by_subset(getattr(both, part))
        assert list(by_subset) == ["FD001", "FD003"]
        for subset, units in by_subset.items():
            alone = getattr(_load(data_dir, subset), part)
            assert units.unit_titles == tuple(f"{subset}/{title}" for title in alone.unit_titles)
            np.testing.assert_array_equal(units.time_to_event, alone.time_to_event)
    assert both.official is not None
    assert both.official.unit_titles == ("FD001/1", "FD001/2", "FD001/3", "FD003/1", "FD003/2", "FD003/3")
    # One scaling, by the training units of both.
    assert both.training.features.min() == -1
    assert both.training.features.max() == 1
    assert _load(data_dir, "FD001").by_subset(both.test) == {}


def test_one_subset_is_evaluated_and_all_units_of_the_others_train(data_dir: Path) -> None:
    joint, alone = _load(data_dir, ["FD001", "FD002", "FD003"], evaluate_on="FD003"), _load(data_dir, "FD003")
    for part in ("validation", "test"):
        # With their own numbers, so that runs with and without the others are compared on the same units.
        assert getattr(joint, part).unit_ids.tolist() == getattr(alone, part).unit_ids.tolist()
    assert joint.training.num_units == alone.training.num_units + LENGTHS["FD001"] + LENGTHS["FD002"]
    assert joint.official is not None
    assert joint.official.unit_titles == ("FD003/1", "FD003/2", "FD003/3")
    assert joint.subsets == ()


def test_what_else_trains_does_not_make_another_task_but_is_other_content(data_dir: Path) -> None:
    def options(**values: object) -> TurbofanOptions:
        found = check_dataset_options({"name": "turbofan", **values})
        assert isinstance(found, TurbofanOptions)
        return found

    joint, alone = options(subset=["FD001", "FD003"], evaluate_on="FD001"), options(subset="FD001")
    assert data_hash(joint, data_dir=data_dir) == data_hash(alone, data_dir=data_dir)
    assert data_content(joint, data_dir) != data_content(alone, data_dir)
    assert data_hash(options(subset=["FD001", "FD003"]), data_dir=data_dir) != data_hash(alone, data_dir=data_dir)
    assert options(subset=["FD003", "FD001"]) == options(subset=["FD001", "FD003"])
    assert options(subset=["FD003"], evaluate_on="FD003") == options(subset="FD003")


def test_the_official_test_set_of_those_that_have_one(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        both = _load(data_dir, ["FD001", "FD002"])
    assert both.official is not None
    assert set(both.by_subset(both.official)) == {"FD001"}
    assert "FD002" in caplog.text
    with pytest.raises(ConfigError, match="FD002 has none here"):
        _load(data_dir, ["FD001", "FD002"], test_fraction=0)
    only_official = _load(data_dir, ["FD001", "FD002"], test_fraction=0, evaluate_on="FD001")
    assert only_official.test.num_units == 3
    assert only_official.training.num_units == 7 + LENGTHS["FD002"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"subset": ["FD001", "FD001"]}, "each once"),
        ({"subset": []}, "allowed is FD001"),
        ({"subset": ["FD001", "FD009"]}, "allowed is FD001"),
        ({"subset": ["FD001", 3]}, "allowed is FD001"),
        ({"subset": "FD001", "evaluate_on": "FD003"}, "null or one of dataset.subset: FD001"),
        ({"subset": ["FD001", "FD003"], "evaluate_on": "FD002"}, "FD001, FD003"),
    ],
)
def test_wrong_subsets_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_dataset_options({"name": "turbofan", **values})

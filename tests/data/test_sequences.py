from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ddrsa.data.labels import Labels
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError


def test_offsets_of_units(make_sequences: Callable[..., Sequences]) -> None:
    sequences = make_sequences((3, 1, 4))
    assert (sequences.num_rows, sequences.num_units) == (8, 3)
    assert sequences.unit_ids.tolist() == [1, 2, 3]
    assert sequences.starts.tolist() == [0, 3, 4]
    assert sequences.unit_start_of_row.tolist() == [0, 0, 0, 3, 4, 4, 4, 4]
    assert sequences.lifetimes.tolist() == [3, 1, 4]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_selection_keeps_exactly_the_rows_of_the_units(lengths: list[int], data: st.DataObject) -> None:
    unit = np.repeat(np.arange(len(lengths)), lengths)
    time = np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(np.float32)
    rows = np.arange(len(unit), dtype=np.float32)[:, None]
    sequences = Sequences(rows, unit, time, np.ones(len(unit), dtype=bool), ("row",))
    ids = data.draw(st.lists(st.sampled_from(range(len(lengths))), min_size=1, unique=True))
    selected = sequences.select_units(ids)
    assert selected.features[:, 0].tolist() == [row for row, owner in enumerate(unit) if owner in ids]
    assert sorted(ids) == selected.unit_ids.tolist()


def test_unknown_unit_is_refused(make_sequences: Callable[..., Sequences]) -> None:
    with pytest.raises(ValueError, match="no unit 7"):
        make_sequences((2, 2)).select_units([1, 7])


def test_with_features_keeps_the_rows(make_sequences: Callable[..., Sequences]) -> None:
    sequences = make_sequences((2, 3))
    other = sequences.with_features(np.zeros((5, 1), dtype=np.float32), ["zero"])
    assert other.feature_names == ("zero",)
    assert other.unit is sequences.unit


def _changed(array: NDArray[Any], index: int | tuple[int, int], value: float) -> NDArray[Any]:
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"features": s.features.astype(np.float16)}, "features has dtype float16, float32 is expected"),
        (lambda s: {"features": s.features[:-1]}, r"features has shape \(4, 3\), \(5, 3\)"),
        (lambda _: {"feature_names": ("a", "b")}, r"\(5, 2\) is expected"),
        (lambda _: {"feature_names": ("a", "b", "a")}, "a name twice"),
        (lambda s: {"time_to_event": s.time_to_event[:-1]}, "time_to_event has shape"),
        (lambda s: {"time_to_event": _changed(s.time_to_event, 0, 5)}, "unit 1 does not fall by one"),
        (lambda s: {"time_to_event": s.time_to_event - 1}, "finite and not negative"),
        (lambda s: {"time_to_event": _changed(s.time_to_event, 3, np.nan)}, "unit 2 does not fall by one"),
        (lambda s: {"event_observed": _changed(s.event_observed, 3, False)}, "event_observed changes within unit 2"),
        (
            lambda s: {"time_to_event": s.time_to_event + 2, "event_observed": ~s.event_observed},
            "censored unit 1 is not 0",
        ),
        (lambda _: {"unit": np.array([1, 1, 2, 1, 1])}, "unit 1 are not contiguous"),
    ],
)
def test_broken_arrays_are_refused(
    make_sequences: Callable[..., Sequences], change: Callable[[Sequences], dict[str, Any]], message: str
) -> None:
    sequences = make_sequences((2, 3))
    with pytest.raises(ValueError, match=message):
        replace(sequences, **change(sequences))


def test_no_rows_are_refused() -> None:
    empty = np.empty(0)
    with pytest.raises(ValueError, match="at least one row"):
        Sequences(np.empty((0, 1), np.float32), empty.astype(int), empty.astype(np.float32), empty.astype(bool), ("a",))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_names_column_and_unit(
    make_sequences: Callable[..., Sequences], value: float
) -> None:
    sequences = make_sequences((2, 3))
    with pytest.raises(DataError, match=f"feature x1 of unit 2 is {value}"):
        replace(sequences, features=_changed(sequences.features, (3, 1), value))


def test_save_and_load_are_inverse_and_memory_mapped(make_sequences: Callable[..., Sequences], tmp_path: Path) -> None:
    sequences = make_sequences((4, 2, 5), censored=(2,))
    sequences.save(tmp_path / "saved")
    loaded = Sequences.load(tmp_path / "saved")
    for name in ("features", "unit", "time_to_event", "event_observed"):
        array = getattr(loaded, name)
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
        np.testing.assert_array_equal(array, getattr(sequences, name))
    assert loaded.feature_names == sequences.feature_names


def _truncate(directory: Path) -> None:
    path = directory / "features.npy"
    path.write_bytes(path.read_bytes()[:-8])


def _zero_the_end(directory: Path) -> None:
    path = directory / "features.npy"
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _zero_the_end,
        lambda directory: (directory / "unit.npy").unlink(),
        lambda directory: (directory / "meta.json").write_text("{"),
        lambda directory: (directory / "meta.json").write_text(json.dumps({"feature_names": ["a"]})),
    ],
)
def test_damage_is_found_on_loading(
    make_sequences: Callable[..., Sequences], tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    make_sequences((4, 2)).save(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=str(tmp_path)):
        Sequences.load(tmp_path)


def test_groups_are_kept_saved_and_checked(make_sequences: Callable[..., Sequences], tmp_path: Path) -> None:
    sequences = replace(make_sequences((2, 3, 1)), group=np.array([5, 5, 5, 5, 5, 7]))
    assert sequences.unit_groups.tolist() == [5, 5, 7]
    assert make_sequences((2, 3)).unit_groups.tolist() == [1, 2]
    sequences.save(tmp_path)
    loaded = Sequences.load(tmp_path)
    group = loaded.select_units([2, 3]).group
    assert group is not None
    assert group.tolist() == [5, 5, 5, 7]
    assert loaded.with_features(sequences.features[:, :1], ["x"]).group is loaded.group
    with pytest.raises(ValueError, match="group changes within unit 1"):
        replace(sequences, group=np.array([1, 5, 5, 5, 5, 7]))
    with pytest.raises(ValueError, match=r"group is int64 \(2,\), int64 \(6,\) is expected"):
        replace(sequences, group=np.array([1, 5]))


def test_labels_are_chosen_and_saved_with_the_units(make_sequences: Callable[..., Sequences], tmp_path: Path) -> None:
    time = np.array(["2024-03-01T00", "2024-03-01T01", "2024-05-01T00", "2024-05-01T01"], dtype="datetime64[ns]")
    labels = Labels(("C-1", "C-1"), np.array([1, 2]), time, "Europe/Berlin", 3600.0)
    sequences = replace(make_sequences((2, 2)), labels=labels)
    assert sequences.unit_names == ("C-1", "C-1")
    assert sequences.unit_titles == ("C-1 (life 1)", "C-1 (life 2)")
    sequences.save(tmp_path / "saved")
    second = Sequences.load(tmp_path / "saved").select_units([2])
    assert second.unit_titles == ("C-1 (life 2)",)
    assert second.labels is not None
    assert second.labels.step == 3600
    times = second.labels.row_times(np.array([1]))
    assert times is not None
    assert times[0].isoformat() == "2024-05-01T03:00:00+02:00"
    with pytest.raises(ValueError, match="labels are not those of 2 units and 4 rows"):
        replace(sequences, labels=second.labels)

"""Directories of runs in a sweep that has some already."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddrsa.errors import ConfigError
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.identity import identity_of, in_names
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.placement import place_runs

FIRST, SECOND = identity_of({"seed": 1}), identity_of({"seed": 2})
ALIKE = FIRST[:16] + SECOND[16:]  # the same in names as FIRST


def completed(path: Path, identity: str) -> Path:
    path.mkdir(parents=True)
    write_json(RunDirectory(path).status, {"run_id": identity, "state": State.COMPLETED})
    return path


def test_runs_that_share_the_short_form_of_their_identity_are_two(tmp_path: Path) -> None:
    place = completed(tmp_path / f"s1_{in_names(FIRST)}", FIRST)
    beside = place_runs(tmp_path, [(ALIKE, place), (FIRST, place)])
    assert beside == [place.with_name(f"{place.name}_{in_names(ALIKE)}"), place]
    completed(beside[0], FIRST)
    assert place_runs(tmp_path, [(ALIKE, place)]) == [place.with_name(f"{place.name}_{ALIKE}")]


def test_the_directory_of_another_run_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ddrsa")
    completed(tmp_path / "0", FIRST)
    beside = tmp_path / f"0_{in_names(SECOND)}"
    assert place_runs(tmp_path, [(SECOND, tmp_path / "0")]) == [beside]
    (line,) = caplog.messages
    assert line.startswith("1 run has another config than the runs in their directories")
    assert beside.name in line
    completed(beside, SECOND)
    assert place_runs(tmp_path, [(SECOND, tmp_path / "0")]) == [beside]
    assert len(caplog.messages) == 1


def test_a_directory_that_changes_its_owner_is_seen(tmp_path: Path) -> None:
    place = completed(tmp_path / "0", FIRST)
    assert place_runs(tmp_path, [(FIRST, tmp_path / "1")]) == [place]
    write_json(RunDirectory(place).status, {"run_id": SECOND, "state": State.COMPLETED})
    assert place_runs(tmp_path, [(FIRST, tmp_path / "1"), (SECOND, tmp_path / "2")]) == [tmp_path / "1", place]


def test_runs_of_an_earlier_version_are_neither_gone_on_with_nor_begun_anew_in_silence(tmp_path: Path) -> None:
    completed(tmp_path / "s1_e9cb3b87", "e9cb3b87")
    with pytest.raises(ConfigError, match=r"s1_e9cb3b87.*32 bits.*choose another hydra.sweep.dir"):
        place_runs(tmp_path, [(FIRST, tmp_path / "s2")])


def test_a_project_may_give_its_runs_short_names_itself(tmp_path: Path) -> None:
    place = completed(tmp_path / "s1", "e9cb3b87")
    assert place_runs(tmp_path, [("e9cb3b87", tmp_path / "s2")]) == [place]

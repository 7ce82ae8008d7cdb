"""The directory of a sweep, and those of its runs."""

from __future__ import annotations

import pytest
from supervised import Sweeps

from ddrsa.rundir.files import read_json


def test_a_swept_key_cannot_stand_in_it_and_one_with_a_single_value_can(sweeps: Sweeps) -> None:
    where = ("hydra.sweep.dir='sweep${x}'", "count=1", "seconds=0")
    exit_code, output = sweeps.run("x=1,2", *where)
    assert exit_code == 2, output
    assert "hydra.sweep.dir is sweep1 for the job x=1" in output
    assert "and sweep0 for the sweep: it holds all runs of a sweep, so no swept key can stand in it" in output
    assert list(sweeps.directory.glob("sweep?")) == []
    exit_code, output = sweeps.run("x=7", *where)
    assert exit_code == 0, output
    results = read_json(sweeps.directory / "sweep7" / "all_results.json")
    assert results is not None
    assert [run["directory"] for run in results["runs"]] == ["x7"]


@pytest.mark.parametrize("subdir", ["../x${x}", ".", "/tmp/${x}", "a/../../${x}"])
def test_no_run_lies_outside_of_it(sweeps: Sweeps, subdir: str) -> None:
    exit_code, output = sweeps.run("x=1,2", f"hydra.sweep.subdir='{subdir}'")
    assert exit_code == 2, output
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "for the job x=1: it must name a folder below hydra.sweep.dir" in line
    assert sweeps.starts() == []
    assert not (sweeps.directory / "sweep").exists()


def test_a_group_with_a_broken_file_is_one_line(sweeps: Sweeps) -> None:
    (sweeps.directory / "db").mkdir()
    (sweeps.directory / "db" / "good.yaml").write_text("name: good\n")
    (sweeps.directory / "db" / "broken.yaml").write_text("name: [\n")
    exit_code, output = sweeps.run("+db=good,broken")
    assert exit_code == 2, output
    (line,) = output.strip().splitlines()
    assert line.startswith("error: the config of the job +db=broken cannot be made: ParserError: ")
    assert "broken.yaml" in line
    assert sweeps.starts() == []

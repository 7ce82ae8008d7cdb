"""The directory of a sweep, and those of its runs."""

from __future__ import annotations

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

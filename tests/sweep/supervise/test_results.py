"""all_results.json after launchers that were killed before they could write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json, write_json
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS
from ddrsa.sweep.supervise.results import renew_results


def entry(x: int, **more: Any) -> dict[str, Any]:
    described = {"number": x, "directory": f"x{x}", "identity": f"run{x}", "overrides": [f"x={x}"]}
    return {**described, "values": {"x": str(x)}, "optional": False, **more}


def end_run(sweep: Path, x: int, identity: str, state: str) -> None:
    run = RunDirectory(sweep / f"x{x}")
    run.path.mkdir()
    run.begin(identity)
    run.end(state, None if state == "completed" else "ValueError: no", return_value=x)


def test_the_ends_of_the_runs_are_taken_from_the_runs(tmp_path: Path) -> None:
    write_json(tmp_path / MANIFEST, {"runs": [entry(x) for x in range(5)], "earlier_runs": []})
    known = [entry(0, state="completed", return_value=7), *(entry(x, state="pending") for x in (1, 2, 3))]
    write_json(tmp_path / RESULTS, {"counts": {}, "runs": known})
    for x, identity, state in ((0, "run0", "failed"), (1, "run1", "completed"), (2, "other", "completed")):
        end_run(tmp_path, x, identity, state)
    end_run(tmp_path, 4, "run4", "completed")
    renew_results(tmp_path)
    content = read_json(tmp_path / RESULTS)
    assert content is not None
    ends = {run["directory"]: (run["state"], run.get("return_value")) for run in content["runs"]}
    assert ends == {
        "x0": ("completed", 7),  # a result stands
        "x1": ("completed", 1),
        "x2": ("pending", None),  # another run lies there
        "x3": ("pending", None),
        "x4": ("completed", 4),
    }
    assert content["counts"] == {"completed": 3, "pending": 2}

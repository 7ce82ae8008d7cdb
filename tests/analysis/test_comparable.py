"""Hand-made runs that measured different things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis_runs import MakeRun, result

from ddrsa.analysis.collect import collect


def measured(mae: float, **comparison: Any) -> dict[str, Any]:
    return {**result(mae), "comparison": {"horizon": 128, "time_unit": "cycles", "data": "aa", **comparison}}


def test_data_of_another_content_under_one_name(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(result=measured(1.0), batch_size=32)
    make_run(result=measured(2.0), batch_size=64)
    make_run(result=measured(0.5, data="bb"), batch_size=128)
    sweep = collect(sweep_dir)
    assert sweep.runs["dataset"].tolist() == ["simulated (data aa)", "simulated (data aa)", "simulated (data bb)"]
    assert "files with another content under the same name" in sweep.apart["simulated (data bb)"]


def test_data_that_differ_by_a_key_are_named_by_it(sweep_dir: Path, make_run: MakeRun) -> None:
    for noise, data in ((1.0, "aa"), (2.0, "bb")):
        for seed in (0, 1):
            make_run(dataset={"name": "simulated", "noise": noise}, seed=seed, result=measured(1.0, data=data))
    make_run(state="running", dataset={"name": "simulated", "noise": 2.0}, seed=2)
    sweep = collect(sweep_dir)
    assert sweep.runs["dataset"].tolist() == [
        *["simulated (dataset.noise=1.0)"] * 2,
        *["simulated (dataset.noise=2.0)"] * 3,
    ]


def test_earlier_runs_tell_their_horizon_by_their_config(sweep_dir: Path, make_run: MakeRun) -> None:
    for horizon in (8, 64):
        make_run(horizon=horizon, result={**result(1.0), "num_event_windows": 7})
    assert collect(sweep_dir).runs["dataset"].tolist() == ["simulated (horizon 8)", "simulated (horizon 64)"]


def test_the_horizon_of_another_task_means_nothing_here(sweep_dir: Path, make_run: MakeRun) -> None:
    for horizon in (8, 64):
        make_run(horizon=horizon, result={"loss": 1.0})
    sweep = collect(sweep_dir)
    assert sweep.runs["dataset"].tolist() == ["simulated", "simulated"]
    assert sweep.swept == ["horizon"]

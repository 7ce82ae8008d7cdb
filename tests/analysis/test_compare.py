"""Several sweeps: the same runs before and after a change, and parts of one sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from generated_sweep import grid, write_sweep
from scipy import stats

from ddrsa.analysis.analysis import Analysis, analyze
from ddrsa.analysis.compare import comparison_directory, name_sweeps
from ddrsa.analysis.criterion import Choice
from ddrsa.errors import ConfigError

VALUES = {"model": ["lstm", "gru"], "batch_size": [32, 64], "seed": [0, 1, 2]}


def compared(tmp_path: Path, **sweeps: Path) -> Analysis:
    return analyze(sweeps, tmp_path / "out", Choice())


def test_before_and_after(tmp_path: Path) -> None:
    write_sweep(tmp_path / "a", grid(VALUES))
    write_sweep(tmp_path / "b", ({**run, "metrics": {"rul_mae": 1.0 + run["seed"]}} for run in grid(VALUES)))
    # A key that the earlier version did not have does not hide that the runs are the same.
    for config in (tmp_path / "b").rglob("config.yaml"):
        config.write_text(config.read_text() + "new_key: 1\n")
    analysis = compared(tmp_path, before=tmp_path / "a", after=tmp_path / "b")
    assert analysis.sweep.is_comparison
    table = analysis.tables["sweep_comparison"].set_index(["model", "metric"])
    row: Any = table.loc[("gru", "rul_mae")]
    runs = analysis.sweep.completed
    runs = runs[runs["model"] == "gru"].sort_values(["batch_size", "seed"])
    pairs = {name: runs.loc[runs["sweep"] == name, "rul_mae"].to_numpy(float) for name in ("before", "after")}
    expected = stats.ttest_rel(pairs["after"], pairs["before"]).confidence_interval(0.95)
    assert (row["before"], row["after"], row["n"], row["mean_after"]) == ("before", "after", 6, 2.0)
    assert row["difference"] == pytest.approx((pairs["after"] - pairs["before"]).mean())
    assert (row["ci_low"], row["ci_high"]) == (pytest.approx(expected.low), pytest.approx(expected.high))
    # The sweep is a part of what makes a configuration, but never the edge of a grid.
    best = analysis.answers[0].best
    assert best is not None
    assert best.values["sweep"] in ("before", "after")
    assert analysis.answers[0].configurations == 8
    # Run directories are named from where the tables go.
    assert (tmp_path / "out" / best.directories[0] / "status.json").resolve().exists()


def test_parts_of_one_sweep_are_one(tmp_path: Path) -> None:
    for name, seeds in (("a", [0, 1]), ("b", [2])):
        write_sweep(tmp_path / name, grid({**VALUES, "seed": seeds}))
    analysis = compared(tmp_path, a=tmp_path / "a", b=tmp_path / "b")
    assert not analysis.sweep.is_comparison
    assert "sweep_comparison" not in analysis.tables
    best = analysis.answers[0].best
    assert best is not None
    assert best.repeats["seed"] == [0, 1, 2]
    assert list(analysis.tables["runs"]["sweep"].value_counts()) == [8, 4]


def test_names(tmp_path: Path) -> None:
    paths = [tmp_path / "2026-01-01" / "run", tmp_path / "2026-01-02" / "run"]
    assert name_sweeps(paths) == {"2026-01-01/run": paths[0], "2026-01-02/run": paths[1]}
    assert name_sweeps([tmp_path / "a", tmp_path / "b"]).keys() == {"a", "b"}
    with pytest.raises(ConfigError, match="given twice"):
        name_sweeps([paths[0], tmp_path / "2026-01-02" / ".." / "2026-01-01" / "run"])
    assert comparison_directory(["a/x", "b"], tmp_path) == tmp_path / "comparisons" / "a_x+b"
    assert len(comparison_directory([str(i) * 40 for i in range(5)], tmp_path).name) <= 100

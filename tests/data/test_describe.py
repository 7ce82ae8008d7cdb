from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from ddrsa.data.describe import describe
from ddrsa.data.options import SimulatedOptions, TableOptions
from ddrsa.data.report.numbers import as_text, describe_part
from ddrsa.data.report.plots import lifetimes_figure, trends, trends_figure
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sequences(make_sequences: Callable[..., Sequences]) -> Sequences:
    """Units of 3, 1, 4 and 2 rows; the last two are censored. x1 is constant, x2 is the number of the unit."""
    made = make_sequences((3, 1, 4, 2), censored=(3, 4))
    features = made.features.copy()
    features[:, 0] = [5, 4, 3, 7, 9, 9, 9, 9, 9, 9]
    features[:, 1] = 2
    features[:, 2] = made.unit
    return made.with_features(features, made.feature_names)


def test_the_numbers(sequences: Sequences) -> None:
    part = describe_part(sequences)
    assert part["units"] == 4
    assert part["groups"] is None
    assert (part["failed_units"], part["censored_units"], part["rows"]) == (2, 2, 10)
    assert part["lifetimes"] == {"min": 1, "median": 2, "max": 3}
    assert part["censored"] == {"min": 2, "median": 3, "max": 4}
    assert part["rows_per_unit"] == {"min": 1, "median": 2.5, "max": 4}
    assert part["constant_features"] == ["x1"]
    assert part["static_features"] == ["x2"]
    assert part["features"][0] == {"name": "x0", "min": 3, "median": 9, "max": 9}
    assert describe_part(replace(sequences, group=sequences.unit // 2))["groups"] == 3
    assert describe_part(sequences.select_units([3]))["lifetimes"] is None


def test_the_trends_are_quartiles_over_failed_units(sequences: Sequences) -> None:
    names, bands, width = trends(sequences)
    assert (names, width) == (["x0"], 1)
    # Only the event itself has two failed units; fewer than two of two say nothing of the others.
    assert bands["median"]["x0"].to_dict() == {0: 5}
    assert bands["low"]["x0"].to_dict() == {0: 4}
    assert bands["high"]["x0"].to_dict() == {0: 6}


def test_long_lives_are_binned_by_the_mean_of_each_unit(make_sequences: Callable[..., Sequences]) -> None:
    made = make_sequences((250, 250, 250, 250, 250), num_features=1)
    names, bands, width = trends(made)
    assert (names, width) == (["x0"], 3)
    values = made.features[:, 0].reshape(5, 250).astype(float)[:, ::-1]  # by the time to event
    expected = [np.median(values[:, start : start + 3].mean(axis=1)) for start in range(0, 250, 3)]
    np.testing.assert_allclose(bands["median"]["x0"], expected)


def test_figures(sequences: Sequences) -> None:
    figure = lifetimes_figure(sequences, "toys", "hours")
    ax = figure.axes[0]
    assert ax.get_xlabel() == "Lifetime (hours)"
    assert sum(patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle)) == 4
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["failed (2), median 2", "censored: lower bounds (2), median 3"]
    trend = trends_figure(sequences, "toys", "hours", "features")
    assert trend is not None
    assert [ax.get_title() for ax in trend.axes if ax.axison] == ["x0"]
    left, right = trend.axes[0].get_xlim()
    assert left > right  # the event is on the right


@pytest.mark.parametrize("units", [[1, 2], [3, 4], [2], [3]])
def test_figures_of_few_units(sequences: Sequences, units: list[int]) -> None:
    some = sequences.select_units(units)
    lifetimes_figure(some, "toys", "hours").canvas.draw()
    figure = trends_figure(some, "toys", "hours", "features")
    assert (figure is not None) == (1 in units)


def test_what_the_reader_repaired_is_in_the_report(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"unit": [1, 1, 2, 2], "time": [1, 2, 1, 2], "x": [1, None, 3, 4], "y": None, "e": [0, 1, 0, 1]}
    )
    table.to_csv(tmp_path / "a.csv", index=False)
    options = TableOptions(path=str(tmp_path / "a.csv"), event_column="e", subset="toys")
    report = describe(options, tmp_path, tmp_path / "report")
    assert report["dataset"] == "table/toys"
    assert report["notes"] == [
        "left out because they have no value in any row: y",
        "x: 1 of 4 values are missing, the last before each is taken",
    ]
    assert "x: 1 of 4 values are missing" in as_text(report)


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(DataError, match=r"output_dir=.*report cannot be written"):
        describe(SimulatedOptions(num_units=3), tmp_path, tmp_path / "report")


def _command(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ddrsa.data.describe", *arguments]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def test_the_command(tmp_path: Path) -> None:
    done = _command(tmp_path, "dataset.num_units=6", "dataset.censored_fraction=0.5", "json=true")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["parts"]["run_to_failure"]["censored_units"] == 3
    assert report["plots"] == ["data_report/simulated/lifetimes.png", "data_report/simulated/trends.png"]
    for plot in report["plots"]:
        assert matplotlib.image.imread(tmp_path / plot).std() > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data_report"]


def test_errors_are_one_line(tmp_path: Path) -> None:
    done = _command(tmp_path, "dataset=turbofan", f"data_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "has no train_FD001.txt" in done.stderr
    assert done.stderr.count("\n") == 1

"""The plots: what is drawn, not how it looks."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from analysis_runs import MakeRun, metrics
from matplotlib.colors import to_rgb

from ddrsa.analysis.collect import collect
from ddrsa.analysis.plots import OKABE_ITO, model_comparison, write_plots


def points(ax) -> list[float]:  # type: ignore[no-untyped-def]
    return sorted(y for collection in ax.collections for y in np.asarray(collection.get_offsets())[:, 1])


def test_every_completed_run_is_a_point(sweep_dir: Path, make_run: MakeRun) -> None:
    for i, model in enumerate(["lstm"] * 4 + ["gru"] * 2):
        make_run(model, result=metrics(10 + i, 20 + i, math.nan if i == 5 else 0.1 * i))
    make_run("lstm", dataset={"name": "cmapss", "subset": "FD001"}, result=metrics(99, 98, 0.97))
    make_run("lstm", state="failed", error="x")
    figure = model_comparison(collect(sweep_dir))
    assert figure is not None
    cmapss, simulated = figure.axes[:3], figure.axes[3:]
    assert [points(ax) for ax in cmapss] == [[99], [98], [0.97]]
    assert points(simulated[0]) == [10, 11, 12, 13, 14, 15]
    assert points(simulated[2]) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [label.get_text() for label in simulated[2].get_xticklabels()] == ["gru\nn = 1", "lstm\nn = 4"]
    assert [ax.get_ylabel().count("(cycles)") for ax in simulated] == [1, 1, 0]
    # The box of lstm, the only one with enough runs: its median line.
    medians = [line for line in simulated[0].lines if line.get_linewidth() == 2]
    assert [float(np.mean(line.get_ydata())) for line in medians] == [11.5]


def test_files_are_the_same_for_the_same_runs(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run()
    paths, left_out = write_plots(collect(sweep_dir))
    assert [path.name for path in paths] == ["model_comparison.png", "model_comparison.svg"]
    assert left_out == []
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(paths[1]).getroot().tag.endswith("svg")
    before = [path.read_bytes() for path in paths]
    write_plots(collect(sweep_dir))
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize("result", [None, {"accuracy": 1.0}, metrics(math.nan, math.nan, math.nan)])
def test_nothing_to_draw(sweep_dir: Path, make_run: MakeRun, result: dict[str, float] | None) -> None:
    make_run(state="running") if result is None else make_run(result=result)
    assert write_plots(collect(sweep_dir)) == ([], ["model_comparison"])
    assert not (sweep_dir / "analysis_plots").exists()


def test_neighbouring_colours_differ_in_greyscale() -> None:
    # Relative luminance, WCAG 2.2.
    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    values = [luminance(colour) for colour in OKABE_ITO]
    assert min(abs(a - b) for a, b in itertools.pairwise(values)) > 0.1

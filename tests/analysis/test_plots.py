"""The plots: what is drawn, what is left out and why; not how it looks."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analysis_runs import MakeRun, metrics, result
from generated_sweep import grid, search, write_sweep
from matplotlib.colors import to_rgb

from ddrsa.analysis.analysis import Analysis, analyze
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.plots import DRAW, write_plots
from ddrsa.analysis.plots.cost import pareto_front
from ddrsa.analysis.plots.data import distinct, swept_here
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn, Plots
from ddrsa.analysis.plots.style import OKABE_ITO, logarithmic, new_figure
from ddrsa.analysis.plots.sweeps import sweep_comparison

GRID: dict[str, Any] = {
    "model": ["lstm", "gru", "transformer"],
    "batch_size": [32, 64],
    "learning_rate": [0.001, 0.003, 0.01],
    "nasa_weight": [0.0, 0.1],
    "seed": [0, 1],
}


def read(path: Path, **selection: str) -> Analysis:
    return analyze({"": path}, path, Choice(**selection))


def reasons(plots: Plots) -> dict[str, str]:
    return {left_out.name: left_out.reason for left_out in plots.left_out}


@pytest.fixture(scope="module")
def gridded(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    path = tmp_path_factory.mktemp("grid")
    write_sweep(path, grid(GRID), ("completed",) * 6 + ("pruned",))
    return read(path)


@pytest.fixture(scope="module")
def drawn(gridded: Analysis) -> Plots:
    return write_plots(gridded)


def points(ax: Any) -> list[float]:
    return sorted(y for collection in ax.collections for y in np.asarray(collection.get_offsets())[:, 1])


def test_a_full_grid_gives_every_plot(gridded: Analysis, drawn: Plots) -> None:
    assert drawn.left_out == []
    assert [plot.name for plot in drawn.drawn] == list(DRAW)
    names = set(GRID["model"])
    for plot in drawn.drawn:
        assert plot.png.read_bytes().startswith(b"\x89PNG")
        assert ElementTree.parse(plot.svg).getroot().tag.endswith("svg")
        assert len(plot.title) > 10
        assert len(plot.description) > 40
        # The words tell what the picture tells: which models there are, unless it is about something else.
        if plot.name in ("model_comparison", "batch_size_analysis", "policy_tradeoff"):
            assert all(name in plot.description for name in names)
    files = {path.name for path in (gridded.sweep.path / "analysis_plots").iterdir()}
    assert files == {f"{name}.{suffix}" for name in DRAW for suffix in ("png", "svg")}


def test_every_axis_has_a_label(gridded: Analysis) -> None:
    for name, draw in DRAW.items():
        for ax in draw(gridded).figure.axes:
            if name in ("parallel_coordinates", "critical_difference"):
                assert ax.get_xlabel() or ax.get_xticklabels()
            elif name != "hyperparameter_importance":
                assert ax.get_ylabel(), name
    quantity = DRAW["rul_mae_vs_hyperparameters"](gridded).figure.axes[0].get_ylabel()
    assert quantity == "MAE of the RUL (cycles)\nlower is better"
    assert [ax.get_ylabel().split("\n")[0] for ax in DRAW["batch_size_analysis"](gridded).figure.axes] == [
        *(
            "MAE of the RUL (cycles)",
            "RMSE of the RUL (cycles)",
            "Concordance index (0 to 1)",
            "Training time (seconds)",
        )
    ]


def test_hyperparameters_show_means_and_deviations(gridded: Analysis) -> None:
    figure = DRAW["learning_rate_analysis"](gridded).figure
    ax = figure.axes[0]
    assert ax.get_xscale() == "log"
    runs = gridded.sweep.completed
    for container, model in zip(ax.containers, ("gru", "lstm", "transformer"), strict=True):
        own = runs[runs["model"] == model].groupby("learning_rate")["validation_rul_mae"]
        line, _, (bars,) = container
        assert list(line.get_ydata()) == pytest.approx(own.mean().tolist())
        lengths = [(segment[1][1] - segment[0][1]) / 2 for segment in bars.get_segments()]
        assert lengths == pytest.approx(own.std().tolist())
    # A point for every run, besides the error bars.
    offsets = [collection for collection in ax.collections if len(np.asarray(collection.get_offsets())) > 1]
    assert sum(len(np.asarray(collection.get_offsets())) for collection in offsets) == len(runs)


def test_heatmap_has_the_mean_of_each_cell(gridded: Analysis) -> None:
    figure = DRAW["hyperparameter_heatmap"](gridded).figure
    runs = gridded.sweep.completed
    gru = runs[runs["model"] == "gru"].groupby(["batch_size", "learning_rate"])["validation_rul_mae"].mean()
    assert np.asarray(figure.axes[0].collections[0].get_array()).ravel().tolist() == pytest.approx(gru.tolist())


def test_pruned_runs_are_marked(gridded: Analysis) -> None:
    figure = DRAW["training_curves"](gridded).figure
    crosses = [line for ax in figure.axes for line in ax.lines if line.get_marker() == "X"]
    assert len(crosses) == (gridded.sweep.runs["state"] == "pruned").sum() > 3


def test_search_is_drawn_as_points(tmp_path: Path) -> None:
    write_sweep(tmp_path, search(150))
    analysis = read(tmp_path)
    ax = DRAW["learning_rate_analysis"](analysis).figure.axes[0]
    assert ax.get_xscale() == "log"
    assert len(points(ax)) == 150
    axes = DRAW["rul_mae_vs_hyperparameters"](analysis).figure.axes
    scales = {ax.get_xlabel(): ax.get_xscale() for ax in axes}
    assert scales == {"batch_size": "linear", "learning_rate": "log", "lambda_param": "linear", "dropout": "linear"}
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["32", "64", "128"]
    # Six classes of learning rates, and the means of what lies in them.
    heatmap: Any = DRAW["hyperparameter_heatmap"](analysis).figure.axes[0]
    cells = np.ma.masked_invalid(heatmap.collections[0].get_array())
    assert cells.shape == (3, 6)
    with pytest.raises(NotDrawn, match="seeds or folds in common"):
        DRAW["critical_difference"](analysis)


def test_a_sweep_of_one_run(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid({"seed": [0]}))
    plots = write_plots(read(tmp_path))
    assert [plot.name for plot in plots.drawn] == [
        "model_comparison",
        "cost_quality",
        "policy_tradeoff",
        "training_curves",
    ]
    assert reasons(plots)["batch_size_analysis"] == "batch_size was not swept"
    assert reasons(plots)["hyperparameter_heatmap"] == "batch_size and learning_rate were not swept"
    assert all(reason for reason in reasons(plots).values())


def test_what_can_no_longer_be_drawn_is_removed(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid({"seed": [0]}))
    before = write_plots(read(tmp_path))
    for path in tmp_path.rglob("test_metrics.json"):
        path.unlink()
    assert "model_comparison" in reasons(write_plots(read(tmp_path)))
    assert not before.drawn[0].png.exists()
    assert not before.drawn[0].svg.exists()


def test_files_are_the_same_for_the_same_runs(tmp_path: Path) -> None:
    write_sweep(tmp_path, grid({"seed": [0, 1]}))

    def contents() -> list[bytes]:
        return [path.read_bytes() for plot in write_plots(read(tmp_path)).drawn for path in (plot.png, plot.svg)]

    assert contents() == contents()


def test_every_completed_run_is_a_point(sweep_dir: Path, make_run: MakeRun) -> None:
    for i, model in enumerate(["lstm"] * 4 + ["gru"] * 2):
        make_run(model, result=metrics(10 + i, 20 + i, math.nan if i == 5 else 0.1 * i))
    make_run("lstm", dataset={"name": "cmapss", "subset": "FD001"}, result=metrics(99, 98, 0.97))
    make_run("lstm", state="failed", error="x")
    axes = DRAW["model_comparison"](read(sweep_dir)).figure.axes
    cmapss, simulated = axes[:3], axes[3:]
    assert [points(ax) for ax in cmapss] == [[99], [98], [0.97]]
    assert points(simulated[0]) == [10, 11, 12, 13, 14, 15]
    assert points(simulated[2]) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [label.get_text() for label in simulated[2].get_xticklabels()] == ["gru\nn=1", "lstm\nn=4"]
    # The box of lstm, the only one with enough runs: its median line.
    medians = [line for line in simulated[0].lines if line.get_linewidth() == 2]
    assert [float(np.mean(np.asarray(line.get_ydata()))) for line in medians] == [11.5]


def test_the_criterion_is_the_first_box(sweep_dir: Path, make_run: MakeRun) -> None:
    for nll, ibs in ((2.5, 0.1), (2.75, 0.2)):
        values = {**result(5.0), "nll": nll, "integrated_brier_score": ibs}
        make_run(seed=int(4 * nll), result={**values, "validation": values})
    axes = DRAW["model_comparison"](read(sweep_dir)).figure.axes
    assert axes[0].get_ylabel().startswith("Negative log-likelihood")
    assert points(axes[0]) == [2.5, 2.75]
    chosen = DRAW["model_comparison"](read(sweep_dir, metric="integrated_brier_score")).figure.axes
    assert [points(ax) for ax in chosen[:2]] == [[0.1, 0.2], [2.5, 2.75]]


def test_plots_show_the_units_that_select(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(result=result(5.0, test_mae=9.0))
    for select_by, value in (("validation", 5.0), ("test", 9.0)):
        drawing = DRAW["model_comparison"](read(sweep_dir, select_by=select_by))
        assert points(drawing.figure.axes[0]) == [value]
        assert f"{select_by} units" in drawing.title


def test_policy_of_runs_before_there_were_policies(sweep_dir: Path, make_run: MakeRun) -> None:
    curve = [{"cost": c, "miss_rate": 1 / c, "mean_time_to_event": float(c)} for c in (8, 16)]
    make_run(result=metrics(1, 2, 0.5, validation={"rul_mae": 1.0, "oti": curve}))
    (ax,) = DRAW["policy_tradeoff"](read(sweep_dir)).figure.axes
    (line, _) = ax.lines
    assert sorted(zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True)) == [
        (6.25, 16.0),
        (12.5, 8.0),
    ]


@pytest.mark.parametrize("outcome", [None, {"accuracy": 1.0}, metrics(math.nan, math.nan, math.nan)])
def test_nothing_to_draw(sweep_dir: Path, make_run: MakeRun, outcome: dict[str, float] | None) -> None:
    make_run(state="running") if outcome is None else make_run(result=outcome)
    name = "accuracy" if outcome == {"accuracy": 1.0} else "rul_mae"
    plots = write_plots(read(sweep_dir, metric=name, select_by="test"))
    # What the runs are asked to be compared by is drawn, of whatever app they are.
    drawn = {"model_comparison"} if outcome == {"accuracy": 1.0} else set()
    assert {plot.name for plot in plots.drawn} == drawn
    assert set(reasons(plots)) == set(DRAW) - drawn


def test_one_that_diverged_does_not_flatten_the_others(sweep_dir: Path, make_run: MakeRun) -> None:
    for i in range(8):
        make_run(result=metrics(10 + i / 10, 1, 0.5), batch_size=32 + i)
    make_run(result=metrics(1e9, 1, 0.5), batch_size=64)
    ax = DRAW["rul_mae_vs_hyperparameters"](read(sweep_dir)).figure.axes[0]
    assert ax.get_ylim()[1] < 12
    assert "1 point beyond the axis" in [text.get_text() for text in ax.texts]


def test_distinct_values_are_numbers_in_order_then_the_rest() -> None:
    runs = pd.DataFrame({"key": [3, None, "b", 2.5, True, math.nan, 3, 0, "a"]}, dtype=object)
    assert distinct(runs, "key") == [0, 2.5, 3, None, True, "a", "b"]
    assert swept_here(runs, "key")
    assert not swept_here(runs.iloc[[0, 5, 6]], "key")
    assert not swept_here(runs, "another")


class Counted(float):
    """A number that counts how often one is compared for being equal to another."""

    comparisons = 0
    __hash__ = float.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.comparisons += 1
        return float(self) == other


def test_distinct_values_of_a_search_are_not_compared_with_each_other() -> None:
    runs = pd.DataFrame({"key": [Counted(1 + value / 2000) for value in range(2000)]}, dtype=object)
    assert len(distinct(runs, "key")) == 2000
    assert Counted.comparisons <= 2 * 2000


def test_pareto_front_by_brute_force() -> None:
    generator = np.random.default_rng(0)
    cost, error = generator.integers(0, 12, 60).astype(float), generator.integers(0, 12, 60).astype(float)

    def beaten(i: int) -> bool:
        better = (cost <= cost[i]) & (error <= error[i]) & ((cost < cost[i]) | (error < error[i]))
        return bool(better.any())

    expected = {(cost[i], error[i]) for i in range(60) if not beaten(i)}
    front = pareto_front(cost, error)
    assert {(cost[i], error[i]) for i in front} == expected
    assert len(front) == len(expected)


def test_critical_difference_ranks(sweep_dir: Path, make_run: MakeRun) -> None:
    for seed in range(6):
        for batch_size in (32, 64, 128):
            # 32 is always first; the other two take turns.
            value = 1.0 if batch_size == 32 else 2.0 + (batch_size == 64) * (1 if seed % 2 else -0.5)
            make_run(seed=seed, batch_size=batch_size, result=result(value + seed))
    drawing = DRAW["critical_difference"](read(sweep_dir))
    assert "lstm batch_size=32 1.00, " in drawing.description
    assert "batch_size=64 2.50" in drawing.description
    assert "batch_size=128 2.50" in drawing.description
    # k = 3, N = 6: q = 2.343 (Demsar 2006, table 5), CD = 2.343 sqrt(3 * 4 / (6 * 6)).
    assert f"CD = {2.343 * math.sqrt(12 / 36):.2f}" in drawing.description


def test_importance_finds_what_matters(sweep_dir: Path, make_run: MakeRun) -> None:
    for batch_size, dropout, seed in itertools.product((32, 64, 128), (0.0, 0.1, 0.2), (0, 1)):
        make_run(batch_size=batch_size, dropout=dropout, seed=seed, result=result(batch_size / 10 + dropout))
    shares = DRAW["hyperparameter_importance"](read(sweep_dir)).description
    assert "simulated: batch_size 100 %, dropout 0 %" in shares


def test_sweeps_are_compared(tmp_path: Path) -> None:
    values = {"model": ["lstm", "gru"], "seed": [0, 1]}
    write_sweep(tmp_path / "a", grid(values))
    write_sweep(tmp_path / "b", grid(values))
    analysis = analyze({"a": tmp_path / "a", "b": tmp_path / "b"}, tmp_path / "out", Choice())
    (line,) = [line for line in sweep_comparison(analysis).figure.axes[0].lines if line.get_marker() == "o"][:1]
    row: Any = analysis.tables["sweep_comparison"].set_index(["model", "metric"]).loc[("gru", "validation_rul_mae")]
    assert np.asarray(line.get_xdata()).tolist() == [row["difference"]]
    write_sweep(tmp_path / "c", grid({**values, "seed": [2]}))
    parts = analyze({"a": tmp_path / "a", "c": tmp_path / "c"}, tmp_path / "parts", Choice())
    with pytest.raises(NotDrawn, match="read as parts of one"):
        sweep_comparison(parts)


def test_neighbouring_colours_differ_in_greyscale() -> None:
    # Relative luminance, WCAG 2.2.
    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    values = [luminance(colour) for colour in OKABE_ITO]
    assert min(abs(a - b) for a, b in itertools.pairwise(values)) > 0.1


def test_not_drawn_says_why(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run()
    with pytest.raises(NotDrawn, match="nasa_weight was not swept"):
        DRAW["nasa_loss_impact"](read(sweep_dir))
    assert isinstance(DRAW["model_comparison"](read(sweep_dir)), Drawing)


@pytest.mark.parametrize("ends", [(11.2, 18.9), (2.1, 4.9), (0.013, 0.017), (1, 5000), (3, 40)])
def test_a_logarithmic_axis_has_two_ticks_or_more(ends: tuple[float, float]) -> None:
    ax = new_figure(4, 3).subplots()
    ax.set_xscale("log")
    logarithmic(ax.xaxis)
    ax.set_xlim(*ends)
    shown = [tick for tick in ax.xaxis.get_ticklocs() if ends[0] <= tick <= ends[1]]
    assert 2 <= len(shown) <= 14

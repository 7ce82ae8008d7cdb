"""The plots of a sweep, as PNG and SVG. Only matplotlib's object interface: no display, no global state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from ddrsa.analysis.collect import Sweep
from ddrsa.rundir import atomic_write

# M. Okabe and K. Ito (2008), "Color Universal Design": told apart with any colour vision. The order alternates between
# dark and light, so that neighbours differ in greyscale too.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#000000", "#CC79A7")

_PANELS = {
    "rul_mae": "MAE of the RUL (cycles)\nlower is better",
    "rul_rmse": "RMSE of the RUL (cycles)\nlower is better",
    "concordance_index": "Concordance index (0 to 1)\nhigher is better",
}

_FORMATS = ("png", "svg")

# With fewer points a box says more than they do.
_FEWEST_FOR_A_BOX = 3


def model_comparison(sweep: Sweep) -> Figure | None:
    """Boxes with the runs as points over them: MAE, RMSE and concordance index by model, a row per data set.

    A box shows the quartiles, its whiskers reach the most distant runs. None where no completed run has one of the
    three metrics.
    """
    completed = sweep.completed
    panels = [metric for metric in _PANELS if metric in sweep.metrics and completed[metric].notna().any()]
    if not panels:
        return None
    datasets = sorted(completed["dataset"].unique())
    models = sorted(completed["model"].unique())
    colours = {model: OKABE_ITO[i % len(OKABE_ITO)] for i, model in enumerate(models)}

    width = max(4.8, len(panels) * max(3.2, 0.95 * len(models)))
    figure = Figure(figsize=(width, 0.7 + 3.4 * len(datasets)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(datasets), len(panels), squeeze=False, gridspec_kw={"wspace": 0.08, "hspace": 0.05})
    for row, dataset in zip(axes, datasets, strict=True):
        runs = completed[completed["dataset"] == dataset]
        for ax, metric in zip(row, panels, strict=True):
            _draw_models(ax, runs, metric, colours)
            ax.set_ylabel(_PANELS[metric])
            ax.set_title(dataset, fontsize="medium", fontweight="bold", loc="left")
    number = "1 completed run" if len(completed) == 1 else f"{len(completed)} completed runs"
    explanation = "point: one run; line: median; box: quartiles; whiskers: range"
    figure.suptitle(f"Test results by model, {number}\n{explanation}", fontsize="medium")
    return figure


def _draw_models(ax: Axes, runs: pd.DataFrame, metric: str, colours: dict[str, str]) -> None:
    present = [model for model in colours if model in set(runs["model"])]
    counts = []
    for position, model in enumerate(present):
        values = runs.loc[runs["model"] == model, metric].dropna().to_numpy(float)
        counts.append(len(values))
        if len(values) >= _FEWEST_FOR_A_BOX:
            ax.boxplot(
                [values],
                positions=[position],
                widths=0.55,
                whis=(0, 100),
                patch_artist=True,
                boxprops={"facecolor": to_rgba(colours[model], 0.3), "edgecolor": "0.25"},
                medianprops={"color": "black", "linewidth": 2},
                whiskerprops={"color": "0.25"},
                capprops={"color": "0.25"},
            )
        # The same place for the same run each time: the golden ratio spreads any number of points evenly.
        offsets = (np.arange(1, len(values) + 1) * 0.618034 % 1 - 0.5) * (0.36 if len(values) > 1 else 0)
        ax.scatter(position + offsets, values, s=18, color=colours[model], edgecolor="black", linewidth=0.5, zorder=3)
    ax.set_xticks(range(len(present)), [f"{model}\nn = {count}" for model, count in zip(present, counts, strict=True)])
    ax.set_xlim(-0.6, len(present) - 0.4)
    ax.set_xlabel("Model")
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


_FIGURES: dict[str, Callable[[Sweep], Figure | None]] = {"model_comparison": model_comparison}


def write_plots(sweep: Sweep) -> tuple[list[Path], list[str]]:
    """Write every plot into `analysis_plots/` of the sweep.

    Returns the paths of the files, and the names of the plots that the completed runs do not suffice for.
    """
    directory = sweep.path / "analysis_plots"
    paths, left_out = [], []
    for name, draw in _FIGURES.items():
        figure = draw(sweep)
        if figure is None:
            left_out.append(name)
            continue
        directory.mkdir(exist_ok=True)
        for file_format in _FORMATS:
            path = directory / f"{name}.{file_format}"
            # A fixed salt and no date: the same runs give the same file.
            with mpl.rc_context({"svg.hashsalt": name}), atomic_write(path, "wb") as stream:
                metadata = {"Date": None} if file_format == "svg" else None
                figure.savefig(stream, format=file_format, dpi=150, metadata=metadata)
            paths.append(path)
    return paths, left_out

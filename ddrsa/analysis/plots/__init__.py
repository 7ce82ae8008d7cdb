"""The plots of an analysis, as PNG and SVG. Only matplotlib's object interface: no display, no global state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from ddrsa.analysis.analysis import Analysis
from ddrsa.analysis.plots.cost import cost_quality
from ddrsa.analysis.plots.drawn import Drawing, LeftOut, NotDrawn, Plot, Plots
from ddrsa.analysis.plots.heatmap import hyperparameter_heatmap
from ddrsa.analysis.plots.hyperparameters import (
    batch_size_analysis,
    concordance_index_vs_hyperparameters,
    learning_rate_analysis,
    nasa_loss_impact,
    rul_mae_vs_hyperparameters,
    rul_rmse_vs_hyperparameters,
)
from ddrsa.analysis.plots.importance import hyperparameter_importance
from ddrsa.analysis.plots.models import model_comparison
from ddrsa.analysis.plots.parallel import parallel_coordinates
from ddrsa.analysis.plots.policy import policy_tradeoff
from ddrsa.analysis.plots.ranks import critical_difference
from ddrsa.analysis.plots.sweeps import sweep_comparison
from ddrsa.analysis.plots.training import training_curves
from ddrsa.rundir.files import atomic_write

DIRECTORY = "analysis_plots"

# In the order in which they are read: what is best, what it depends on, how it came about.
DRAW: dict[str, Callable[[Analysis], Drawing]] = {
    "model_comparison": model_comparison,
    "critical_difference": critical_difference,
    "cost_quality": cost_quality,
    "policy_tradeoff": policy_tradeoff,
    "hyperparameter_importance": hyperparameter_importance,
    "rul_mae_vs_hyperparameters": rul_mae_vs_hyperparameters,
    "rul_rmse_vs_hyperparameters": rul_rmse_vs_hyperparameters,
    "concordance_index_vs_hyperparameters": concordance_index_vs_hyperparameters,
    "batch_size_analysis": batch_size_analysis,
    "learning_rate_analysis": learning_rate_analysis,
    "hyperparameter_heatmap": hyperparameter_heatmap,
    "nasa_loss_impact": nasa_loss_impact,
    "parallel_coordinates": parallel_coordinates,
    "training_curves": training_curves,
}

# They show what only models of the project have.
OF_MODELS = frozenset(DRAW) - {
    "model_comparison",
    "critical_difference",
    "hyperparameter_importance",
    "parallel_coordinates",
}

_DPI = 150


def write_plots(analysis: Analysis) -> Plots:
    """Write every plot that the runs suffice for into `analysis_plots/` of the analysis.

    What an earlier analysis drew and this one cannot is removed, so that no old plot stands beside new tables.
    """
    plots = Plots()
    draw = DRAW | ({"sweep_comparison": sweep_comparison} if len(analysis.sweep.sources) > 1 else {})
    directory = analysis.sweep.path / DIRECTORY
    for name, function in draw.items():
        png, svg = directory / f"{name}.png", directory / f"{name}.svg"
        try:
            drawing = function(analysis)
        except NotDrawn as reason:
            plots.left_out.append(LeftOut(name, str(reason)))
            png.unlink(missing_ok=True)
            svg.unlink(missing_ok=True)
            continue
        directory.mkdir(parents=True, exist_ok=True)
        _save(drawing, png, name)
        # All parts have their places now; finding them takes longer than drawing.
        drawing.figure.set_layout_engine("none")
        _save(drawing, svg, name)
        plots.drawn.append(Plot(name, drawing.title, drawing.description, png, svg))
    return plots


def _save(drawing: Drawing, path: Path, name: str) -> None:
    file_format = path.suffix[1:]
    # A fixed salt and no date: the same runs give the same file.
    with mpl.rc_context({"svg.hashsalt": name}), atomic_write(path, "wb") as stream:
        metadata = {"Date": None} if file_format == "svg" else None
        drawing.figure.savefig(stream, format=file_format, dpi=_DPI, metadata=metadata)

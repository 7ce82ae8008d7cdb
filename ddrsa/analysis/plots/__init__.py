"""The plots of an analysis, as PNG and SVG. Only matplotlib's object interface: no display, no global state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from ddrsa.analysis.analysis import Analysis
from ddrsa.analysis.plots.drawn import Drawing, LeftOut, NotDrawn, Plot, Plots
from ddrsa.analysis.plots.models import model_comparison
from ddrsa.rundir import atomic_write

DIRECTORY = "analysis_plots"

# In the order in which they are read: what is best, what it depends on, how it came about.
DRAW: dict[str, Callable[[Analysis], Drawing]] = {
    "model_comparison": model_comparison,
}

_DPI = 150


def write_plots(analysis: Analysis) -> Plots:
    """Write every plot that the runs suffice for into `analysis_plots/` of the analysis.

    What an earlier analysis drew and this one cannot is removed, so that no old plot stands beside new tables.
    """
    plots = Plots()
    directory = analysis.sweep.path / DIRECTORY
    for name, function in DRAW.items():
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
        _save(drawing, svg, name)
        plots.drawn.append(Plot(name, drawing.title, drawing.description, png, svg))
    return plots


def _save(drawing: Drawing, path: Path, name: str) -> None:
    file_format = path.suffix[1:]
    # A fixed salt and no date: the same runs give the same file.
    with mpl.rc_context({"svg.hashsalt": name}), atomic_write(path, "wb") as stream:
        metadata = {"Date": None} if file_format == "svg" else None
        drawing.figure.savefig(stream, format=file_format, dpi=_DPI, metadata=metadata)

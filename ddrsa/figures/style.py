"""Style of the figures: colours, axes, files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ddrsa.rundir.files import atomic_write

# M. Okabe and K. Ito (2008), "Color Universal Design": told apart with any colour vision. Lines differ in their dashes
# or markers too, for print in grey.
BLUE, ORANGE, GREEN, SKY, VERMILION, BLACK, PURPLE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#56B4E9",
    "#D55E00",
    "#000000",
    "#CC79A7",
)

FORMATS = ("png", "svg")


class ToldIn(NamedTuple):
    """unit: what times are told in. length: of one step, in it. row: what a row is called on an axis."""

    unit: str = "cycles"
    length: float = 1.0
    row: str = "Cycle"


CYCLES = ToldIn()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(ax: Axes, *, grid: str = "both") -> None:
    """No frame above and to the right, a light grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis=grid, color="0.9", linewidth=0.6)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def write_figure(directory: Path, name: str, figure: Figure) -> list[Path]:
    """`<name>.png` and `<name>.svg` in `directory`; the same figure gives the same files."""
    directory.mkdir(exist_ok=True)
    paths = []
    for file_format in FORMATS:
        path = directory / f"{name}.{file_format}"
        with mpl.rc_context({"svg.hashsalt": name}), atomic_write(path, "wb") as stream:
            metadata = {"Date": None} if file_format == "svg" else None
            figure.savefig(stream, format=file_format, dpi=200, metadata=metadata)
        paths.append(path)
    return paths

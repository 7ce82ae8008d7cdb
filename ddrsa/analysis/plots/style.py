"""The style of all plots: colours, markers, axes. Nothing here depends on the runs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

# M. Okabe and K. Ito (2008), "Color Universal Design": told apart with any colour vision. The order alternates between
# dark and light, so that neighbours differ in greyscale too.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#000000", "#CC79A7")
# With seven colours and eight markers, 56 models differ in one or the other.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))

# Of a scale from bad to good; its lightness grows evenly, so it survives greyscale.
SCALE = "cividis"

# More points than this make a vector graphic slow: they are embedded as pixels.
MOST_VECTOR_POINTS = 500

# Letters to the inch of a title, and of what is written small.
_TITLE_LETTERS, _SMALL_LETTERS = 9.5, 13

# Points further out than so many interquartile ranges are named, not shown: they would flatten all others.
_FAR = 6.0


@dataclass(frozen=True)
class Look:
    """The colour, marker and line of one model."""

    colour: str
    marker: str
    line: object


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for each of `names`, the same whenever the names are the same."""
    return {
        name: Look(OKABE_ITO[i % len(OKABE_ITO)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])
        for i, name in enumerate(sorted(set(names)))
    }


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, whose parts find their places by themselves."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid_of_axes(figure: Figure, rows: int, columns: int, used: int | None = None) -> list[Axes]:
    """Axes in rows and columns, row by row; those beyond the `used` first are blank."""
    axes = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0.08, "hspace": 0.08}).ravel().tolist()
    for ax in axes[used:] if used is not None else []:
        ax.set_axis_off()
    return axes[:used] if used is not None else axes


def head(figure: Figure, title: str, explanation: str) -> None:
    """The title, and under it in smaller letters how to read the plot."""
    width = figure.get_figwidth()
    # A legend, since the layout makes room for one outside of the axes, and for two sizes of letters.
    legend = figure.legend(
        handles=[Line2D([], [], linestyle="", label=_fold(explanation, width * _SMALL_LETTERS))],
        title=_fold(title, width * _TITLE_LETTERS),
        title_fontproperties={"size": "large", "weight": "bold"},
        fontsize="small",
        labelcolor="0.25",
        handlelength=0,
        handletextpad=0,
        loc="outside upper center",
        frameon=False,
        borderpad=0.2,
    )
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_multialignment("center")


def _fold(text: str, letters: float) -> str:
    # A per cent sign stays with its number.
    return textwrap.fill(text.replace(" %", "\N{NO-BREAK SPACE}%"), int(letters))


def tidy(ax: Axes, grid: str = "y") -> None:
    """Light grid lines behind the data, no frame, no offsets in the tick labels."""
    ax.grid(axis=grid, color="0.9")  # type: ignore[arg-type]
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def jitter(count: int, width: float) -> NDArray[np.float64]:
    """Offsets within ± width / 2 that spread any number of points evenly, the same each time (the golden ratio)."""
    if count < 2:
        return np.zeros(count)
    return np.asarray((np.arange(1, count + 1) * 0.618034 % 1 - 0.5) * width)


def limit(ax: Axes, values: NDArray[np.float64]) -> None:
    """Let a few extreme `values` (those of the y axis) not flatten the others: the axis ends, and says how many lie
    beyond it."""
    values = values[np.isfinite(values)]
    if values.size < 4:
        return
    first, third = np.quantile(values, [0.25, 0.75])
    reach = _FAR * max(third - first, 1e-12)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    low, high = float(inside.min()), float(inside.max())
    beyond = int(values.size - inside.size)
    if not beyond or low == high:
        return
    pad = 0.06 * (high - low)
    ax.set_ylim(low - pad, high + pad)
    text = f"{beyond} point{'s' * (beyond > 1)} beyond the axis"
    ax.text(0.99, 0.99, text, transform=ax.transAxes, ha="right", va="top", fontsize="small", style="italic")


class _LogTicks(LogLocator):
    """Ticks at 1, 2 and 5 of each decade; where fewer than two of them are in view, at round numbers."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        ticks = np.asarray(super().tick_values(vmin, vmax))
        if np.count_nonzero((ticks >= vmin) & (ticks <= vmax)) >= 2:
            return ticks
        return MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(vmin, vmax)


def logarithmic(axis: Axis) -> None:
    """Ticks written as plain numbers, also within a decade."""
    axis.set_major_locator(_LogTicks(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def legend_below(figure: Figure, handles: Sequence[Line2D], title: str | None = None) -> None:
    """One legend for all axes, outside of them."""
    if handles:
        labels = [str(handle.get_label()) for handle in handles]
        columns = max(1, min(len(handles), int(figure.get_figwidth() * 10 / max(len(label) + 6 for label in labels))))
        figure.legend(
            handles=list(handles),
            loc="outside lower center",
            ncols=columns,
            title=title,
            frameon=False,
            fontsize="small",
        )


def model_handles(names: dict[str, Look], lines: bool = False) -> list[Line2D]:
    """A legend entry for each model."""
    return [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle="-" if lines else "", label=name, markersize=6)
        for name, look in names.items()
    ]

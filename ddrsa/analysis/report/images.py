"""Images inside the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ddrsa.analysis.plot_files import file_to_show
from ddrsa.analysis.plots.drawn import Plot


@dataclass(frozen=True)
class Image:
    """A plot as the page has it. address: of its data; png, svg: of the files, relative to the page."""

    name: str
    title: str
    description: str
    address: str
    png: str
    svg: str


def embedded(plot: Plot) -> Image:
    """The plot as data of the page. Raises OSError."""
    file = file_to_show(plot.svg, plot.png)
    kind = "svg+xml" if file == plot.svg else "png"
    data = base64.b64encode(file.read_bytes()).decode()
    folder = plot.png.parent.name
    return Image(
        plot.name,
        plot.title,
        plot.description,
        f"data:image/{kind};base64,{data}",
        f"{folder}/{plot.png.name}",
        f"{folder}/{plot.svg.name}",
    )

"""Images inside the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from ddrsa.analysis.plots.drawn import Plot

# Above this many bytes an SVG, which has every point, is left for the PNG where that is smaller.
LARGE_SVG = 150_000


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
    """The plot's SVG, sharp at any size, or its PNG where the SVG is large. Raises OSError."""
    svg_size, png_size = plot.svg.stat().st_size, plot.png.stat().st_size
    file, kind = (plot.svg, "svg+xml") if svg_size <= max(LARGE_SVG, png_size) else (plot.png, "png")
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

"""Files of a plot: which of its two is shown on a page."""

from __future__ import annotations

from pathlib import Path

# Above this many bytes an SVG, which has every point, is left for the PNG where that is smaller.
LARGE_SVG = 150_000


def file_to_show(svg: Path, png: Path) -> Path:
    """The plot's SVG, sharp at any size, or its PNG where the SVG is large. Raises OSError."""
    return svg if svg.stat().st_size <= max(LARGE_SVG, png.stat().st_size) else png

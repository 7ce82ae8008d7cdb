"""Planned runs of a sweep that have not begun: they have no directory yet, and so no row in any table."""

from __future__ import annotations

from typing import Any

from ddrsa.analysis.collect import Sweep
from ddrsa.rundir.manifest import read_manifest


def planned_runs(manifest: dict[str, Any]) -> int:
    """How many runs a sweep has planned, those of its earlier commands too."""
    return len({run["directory"] for run in [*manifest.get("runs", []), *manifest.get("earlier_runs", [])]})


def not_begun(sweep: Sweep, name: str) -> int:
    """How many planned runs of the sweep `name` have not begun; 0 where its manifest does not say."""
    try:
        manifest = read_manifest(sweep.sources[name])
    except (OSError, ValueError):
        return 0  # the report says that it cannot be read
    begun = int((sweep.runs["sweep"] == name).sum())
    return 0 if manifest is None else max(0, planned_runs(manifest) - begun)

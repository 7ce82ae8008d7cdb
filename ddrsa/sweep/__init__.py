"""Sweeps and searches of any Hydra task."""

from ddrsa.sweep.search.report import report

__all__ = ["report"]

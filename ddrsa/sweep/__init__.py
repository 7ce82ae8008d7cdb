"""Sweeps and searches of any Hydra task."""

from ddrsa.sweep.search.report import constrain, report

__all__ = ["constrain", "report"]

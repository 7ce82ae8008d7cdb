"""Sweeps and searches of any Hydra task."""

from ddrsa.sweep.reporting import report

__all__ = ["report"]

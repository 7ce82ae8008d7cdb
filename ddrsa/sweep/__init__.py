"""Sweeps and searches of any Hydra task."""

from ddrsa.sweep.early_end import asked_to_end
from ddrsa.sweep.search.report import constrain, report

__all__ = ["asked_to_end", "constrain", "report"]

"""Sweeps of deep survival models (DDRSA) for machines that wear out.

    train        one run, from a Python session or a notebook
    load         a trained run, which forecasts and decides for a DataFrame
    read_sweep   the runs of a sweep as a DataFrame

docs/python.md has an example.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ddrsa.extras import missing_extra

if TYPE_CHECKING:
    from ddrsa.analysis.read_sweep import read_sweep
    from ddrsa.predict.forecaster import Forecaster, load
    from ddrsa.session import TrainedModel, train

    __version__: str

# Imported when they are asked for: `import ddrsa` must not load torch or pandas.
_HOMES = {
    "Forecaster": "ddrsa.predict.forecaster",
    "TrainedModel": "ddrsa.session",
    "load": "ddrsa.predict.forecaster",
    "read_sweep": "ddrsa.analysis.read_sweep",
    "train": "ddrsa.session",
}

__all__ = ["Forecaster", "TrainedModel", "__version__", "load", "read_sweep", "train"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes longer than all the rest

        return version("ddrsa")
    if name not in _HOMES:
        raise AttributeError(f"module 'ddrsa' has no attribute {name!r}")
    try:
        home = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        message = missing_extra(f"ddrsa.{name}", error, "analysis" if name == "read_sweep" else "models")
        if message is None:
            raise
        raise ImportError(message) from error
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""What the tests of the analysis share: a known result of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddrsa.rundir import RunDirectory

MakeRun = Callable[..., RunDirectory]


def metrics(rul_mae: float, rul_rmse: float, concordance_index: float, **more: Any) -> dict[str, Any]:
    """The same on the test units and on the validation units, unless `validation` says otherwise."""
    values = {
        "rul_mae": rul_mae,
        "rul_rmse": rul_rmse,
        "concordance_index": concordance_index,
        "oti": [{"cost": 64, "miss_rate": 0.1, "mean_time_to_event": 12.5}],
    }
    return {**values, "n_parameters": 1000, "validation": values, **more}


def result(validation_mae: float, test_mae: float = 50.0) -> dict[str, Any]:
    """A result of which only the MAE matters."""
    return {**metrics(test_mae, 1, 0.5), "validation": {"rul_mae": validation_mae}}

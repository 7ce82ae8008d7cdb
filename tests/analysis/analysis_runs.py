"""What the tests of the analysis share: a known result of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddrsa.rundir import RunDirectory

MakeRun = Callable[..., RunDirectory]


def metrics(rul_mae: float, rul_rmse: float, concordance_index: float, **more: Any) -> dict[str, Any]:
    return {
        "rul_mae": rul_mae,
        "rul_rmse": rul_rmse,
        "concordance_index": concordance_index,
        "n_parameters": 1000,
        "oti": [{"cost": 64, "miss_rate": 0.1, "mean_time_to_event": 12.5}],
        **more,
    }

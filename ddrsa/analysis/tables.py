"""The tables: the spread of every metric, and the best configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ddrsa.analysis.collect import NAME_KEYS, Sweep
from ddrsa.rundir import atomic_write

# What decides which configuration is best, and whether a higher value is better.
CRITERIA = {"rul_mae": False, "rul_rmse": False, "concordance_index": True}

_STATISTICS = ["count", "mean", "std", "min", "max"]


def summary_statistics(sweep: Sweep) -> pd.DataFrame:
    """For each data set, model and metric over the completed runs: count, mean, std, min, max.

    NaN is not counted. std is that of a sample (n - 1 in the denominator), NaN for a single run.
    """
    columns = ["dataset", "model", "metric", *_STATISTICS]
    rows = [
        [dataset, model, metric, *group[metric].agg(_STATISTICS)]
        for (dataset, model), group in sweep.completed.groupby(["dataset", "model"])
        for metric in sweep.metrics
    ]
    return pd.DataFrame(rows, columns=columns).astype({"count": int})


def shown_swept(sweep: Sweep) -> list[str]:
    """The swept hyperparameters that the columns dataset and model do not already show."""
    return [key for key in sweep.swept if key not in NAME_KEYS]


def best_configurations(sweep: Sweep) -> pd.DataFrame:
    """The best completed run of each data set and model by each of `CRITERIA`, with the swept values.

    NaN is never the best: where all runs of a group have NaN, the criterion has no row. Of equals, the first directory.
    """
    swept = shown_swept(sweep)
    columns = ["dataset", "model", "criterion", *swept, *CRITERIA, "best_validation_loss", "directory"]
    completed = sweep.completed.reindex(columns=list(dict.fromkeys([*sweep.runs.columns, *CRITERIA])))
    rows = []
    for _, group in completed.groupby(["dataset", "model"]):
        for criterion, higher_is_better in CRITERIA.items():
            known = group.dropna(subset=[criterion])
            if not known.empty:
                values = known[criterion]
                position = int(values.argmax() if higher_is_better else values.argmin())
                best = {str(key): value for key, value in known.iloc[position].items()}
                rows.append({**best, "criterion": criterion, **{key: hydra_value(best[key]) for key in swept}})
    return pd.DataFrame(rows, columns=columns, dtype=object)


def hydra_value(value: Any) -> Any:
    """`value` as one would write it on the command line: null, true, false. NaN, no value at all, stays."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value


def write_tables(tables: dict[str, pd.DataFrame], directory: Path) -> list[Path]:
    """Write each table as `<name>.csv` into `directory`, atomically; returns the paths."""
    paths = []
    for name, table in tables.items():
        path = directory / f"{name}.csv"
        with atomic_write(path) as stream:
            table.to_csv(stream, index=False)
        paths.append(path)
    return paths

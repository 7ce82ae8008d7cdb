"""The tables: every run, every failure, the spread of every metric, and the best configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.configurations import Configurations, is_absent
from ddrsa.analysis.criterion import Criterion
from ddrsa.analysis.metrics import CRITERIA, NO_QUALITY, OF_SUBSET, VALIDATION, column, metric
from ddrsa.analysis.read_run import COLUMNS
from ddrsa.analysis.statistics import bootstrap_means
from ddrsa.rundir.files import atomic_write
from ddrsa.rundir.states import State
from ddrsa.texts import as_cell

_OF_A_RUN = ("directory", "dataset", "model")
_STATISTICS = ["count", "mean", "std", "min", "max"]
_TRUTH = (bool, np.bool_)


def runs_table(sweep: Sweep) -> pd.DataFrame:
    """One flat row per run, with the `run_columns`."""
    return as_written(sweep.runs[run_columns(sweep)])


def run_columns(sweep: Sweep) -> list[str]:
    """The columns of `sweep.runs` in order: what became of a run, what was swept, metrics, the rest of its config."""
    columns = dict.fromkeys([*COLUMNS, *sweep.swept, *sweep.metrics, *sweep.runs])
    if len(sweep.sources) == 1:
        del columns["sweep"]
    return list(columns)


def failures_table(sweep: Sweep) -> pd.DataFrame:
    """The runs that have no result and did not mean to end so: directory, names, state, reason, log."""
    columns = ["directory", "dataset", "model", "state", "reason", "log", "attempt", "epoch", *sweep.hyperparameters]
    failures = sweep.runs[[State(each).needs_a_look for each in sweep.runs["state"]]]
    return as_written(failures[[*columns, *sweep.repeats]])


def test_intervals(sweep: Sweep) -> pd.DataFrame:
    """For each completed run and metric of its test units: the value, and its 95 % interval over the units."""
    quality = sweep.quality_metrics
    runs = sweep.completed
    runs = runs.loc[runs["directory"].isin(list(sweep.intervals)), list(dict.fromkeys([*_OF_A_RUN, *quality]))]
    rows = [
        [*(run[key] for key in _OF_A_RUN), name, run[name], *(_told(sweep, run["dataset"], name, end) for end in found)]
        for run in runs.to_dict("records")
        for name in quality
        if (found := sweep.intervals.get(run["directory"], {}).get(name)) is not None
    ]
    return pd.DataFrame(rows, columns=[*_OF_A_RUN, "metric", "value", "ci_low", "ci_high"])


def _told(sweep: Sweep, dataset: str, name: str, value: float) -> float:
    return sweep.time_units[dataset].told(name, value) if dataset in sweep.time_units else value


def summary_statistics(sweep: Sweep) -> pd.DataFrame:
    """For each data set, model and metric over the completed runs: count, mean, std, min, max, ci_low, ci_high.

    units: that it was taken on. unit: what it is told in. NaN is not counted. std is that of a sample (n - 1 in the
    denominator), NaN for a single run. ci_low and ci_high are the bootstrap interval of the mean at 95 %, NaN for a
    single run.
    """
    names = ["dataset", "model", *(["sweep"] if sweep.is_comparison else [])]
    rows = []
    for group, runs in sweep.completed.groupby(names):
        values = runs[sweep.metrics].to_numpy(float)
        low, high = bootstrap_means(values)
        statistics = runs[sweep.metrics].agg(list(_STATISTICS)).T.to_numpy()
        for i, name in enumerate(sweep.metrics):
            on = (
                "validation"
                if name.startswith(VALIDATION)
                else ""
                if name.partition(OF_SUBSET)[0] in NO_QUALITY
                else "test"
            )
            unit = metric(name, str(group[0])).unit
            rows.append([*group, name.removeprefix(VALIDATION), on, *statistics[i], low[i], high[i], unit])
    columns = [*names, "metric", "units", *_STATISTICS, "ci_low", "ci_high", "unit"]
    return pd.DataFrame(rows, columns=columns).astype({"count": int})


def best_configurations(sweep: Sweep, criterion: Criterion, configurations: Configurations) -> pd.DataFrame:
    """The best configuration of each data set and model by each of `CRITERIA` and by the metric of `criterion`.

    Seeds and folds are put together. `select_by` says on which units the criterion was taken; its mean, std and n stand
    behind it, then the swept values, then mean and std of each criterion on the test and on the validation units, and
    the run directories. A criterion for which no run has a number has no row.
    """
    criteria = list(dict.fromkeys([*CRITERIA, criterion.metric]))
    shown = [name for name in criteria for name in (name, VALIDATION + name) if name in sweep.metrics]
    spread = [f"{name}_{statistic}" for name in shown for statistic in ("mean", "std")]
    repeats = [key for key in ("seed", "fold") if key in configurations.runs]
    columns = [
        *("dataset", "model", "criterion", "select_by", "mean", "std", "n"),
        *(sweep.hyperparameters),
        *(f"{key}s" for key in repeats),
        *spread,
        "directories",
    ]
    rows: list[dict[str, Any]] = []
    groups = configurations.table[["dataset", "model"]].drop_duplicates().sort_values(["dataset", "model"])
    for dataset, model in groups.itertuples(index=False, name=None):
        for name in criteria:
            by = column(name, criterion.select_by)
            higher = metric(name).higher_is_better
            ranked = configurations.ranked(by, dataset, model, higher_is_better=higher)
            if not ranked:
                continue
            number, runs = ranked[0], configurations.runs_of(ranked[0])
            row = {
                "dataset": dataset,
                "model": model,
                "criterion": name,
                "select_by": criterion.select_by,
                "mean": configurations.means.loc[number, by],
                "std": configurations.deviations.loc[number, by],
                "n": configurations.counts.loc[number, by],
                **{key: configurations.table.loc[number, key] for key in sweep.hyperparameters},
                **{f"{key}s": " ".join(str(value) for value in dict.fromkeys(runs[key])) for key in repeats},
                "directories": " ".join(runs["directory"]),
            }
            for name in shown:
                row[f"{name}_mean"] = configurations.means.loc[number, name]
                row[f"{name}_std"] = configurations.deviations.loc[number, name]
            rows.append(row)
    return as_written(pd.DataFrame(rows, columns=columns, dtype=object))


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with null, true and false as on the command line. NaN, no value at all, stays an empty cell."""
    table = table.copy()
    for name in table.columns:
        if table[name].dtype == object and name not in COLUMNS:
            table[name] = [_written(value) for value in table[name]]
    return table


def _written(value: Any) -> Any:
    if value is None:
        return "null"
    if isinstance(value, _TRUTH):
        return str(value).lower()
    return np.nan if is_absent(value) else value


def as_cells(table: pd.DataFrame) -> pd.DataFrame:
    """`table` for a spreadsheet, where no text of a run is a formula: see `ddrsa.texts.as_cell`."""
    safe = table.rename(columns=as_cell)
    for place, name in enumerate(safe.columns):
        if not pd.api.types.is_numeric_dtype(safe.dtypes[name]):
            safe.isetitem(place, [as_cell(value) for value in table.iloc[:, place]])
    return safe


def write_tables(tables: dict[str, pd.DataFrame], directory: Path) -> list[Path]:
    """Write each table as `<name>.csv` into `directory`, atomically; returns the paths."""
    paths = []
    for name, table in tables.items():
        path = directory / f"{name}.csv"
        with atomic_write(path) as stream:
            as_cells(table).to_csv(stream, index=False)
        paths.append(path)
    return paths

"""Comparison of sweeps: before and after a change, or parts of one that were run in different places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.analysis.collect import NAME_KEYS, Sweep
from ddrsa.analysis.configurations import is_absent
from ddrsa.analysis.statistics import difference
from ddrsa.errors import ConfigError

# Where the tables of several sweeps go, below the directory of the sweeps.
COMPARISONS = "comparisons"
_LONGEST_NAME = 100


def name_sweeps(directories: Sequence[Path]) -> dict[str, Path]:
    """The directories by the shortest ends of their paths that tell them apart.

    Raises ConfigError where one is given twice.
    """
    resolved = [path.resolve() for path in directories]
    for i, path in enumerate(resolved):
        if path in resolved[:i]:
            raise ConfigError(f"sweeps: {directories[i]} is given twice")
    longest = max(len(path.parts) for path in resolved)
    for length in range(1, longest + 1):
        names = ["/".join(path.parts[-length:]) for path in resolved]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, directories, strict=True))


def comparison_directory(names: Sequence[str], root: Path) -> Path:
    """The directory for the tables of the sweeps called `names` when none is given."""
    joined = "+".join(name.replace("/", "_") for name in names)
    if len(joined) > _LONGEST_NAME:
        joined = f"{names[0].replace('/', '_')}+{len(names) - 1}-others"[-_LONGEST_NAME:]
    return root / COMPARISONS / joined


def sweep_comparison(sweep: Sweep) -> pd.DataFrame:
    """The completed runs that lie in several sweeps, pair by pair: each later sweep minus the first that has the run.

    By data set, model, pair of sweeps and metric: n, the mean of both, the mean difference, and its Student's interval
    at 95 % over the pairs (NaN for a single pair).
    """
    names = list(sweep.sources)
    identity = ["dataset", "model", *_shared_keys(sweep)]
    completed = sweep.completed
    keys = [tuple(map(_key, row)) for row in completed[identity].itertuples(index=False, name=None)]
    numbers: dict[tuple[Any, ...], int] = {}
    completed = completed.assign(run=[numbers.setdefault(key, len(numbers)) for key in keys])
    columns = ["dataset", "model", "before", "after", "metric", "n", "mean_before", "mean_after", "difference"]
    rows = []
    for (dataset, model), runs in completed.groupby(["dataset", "model"]):
        by_sweep = {name: part.drop_duplicates("run").set_index("run") for name, part in runs.groupby("sweep")}
        present = [name for name in names if name in by_sweep]
        for i, before in enumerate(present):
            for after in present[i + 1 :]:
                for name in sweep.metrics:
                    pair = pd.concat([by_sweep[before][name], by_sweep[after][name]], axis=1, join="inner").dropna()
                    if pair.empty:
                        continue
                    a, b = (pair.iloc[:, k].to_dict() for k in (0, 1))
                    found = difference(a, b)
                    interval = [np.nan if bound is None else bound for bound in (found.low, found.high)]
                    means = pair.mean().tolist()
                    rows.append([dataset, model, before, after, name, len(pair), *means, found.mean, *interval])
    return pd.DataFrame(rows, columns=[*columns, "ci_low", "ci_high"])


def _shared_keys(sweep: Sweep) -> list[str]:
    """The hyperparameters, swept ones and repeats, that every sweep has: one may know keys that another does not."""
    parts = [part for _, part in sweep.runs.groupby("sweep")]
    swept = [key for key in sweep.swept if key != "sweep" and key not in NAME_KEYS]
    return [key for key in swept if all(not all(map(is_absent, part[key])) for part in parts)]


def _key(value: Any) -> Any:
    return "absent" if is_absent(value) else value

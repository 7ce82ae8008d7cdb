"""Configurations: a row for all runs that differ only in seed and fold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.analysis.collect import Sweep


class Configurations:
    """The completed runs of a sweep, grouped by configuration.

    runs: the completed runs, with the column `configuration`, the number of theirs.
    table: a row per configuration, by that number: dataset, model, the hyperparameters of `Sweep.hyperparameters` and
        n, the number of completed runs.
    means, deviations, counts: a row per configuration, a column per metric of the sweep. NaN is not counted, and the
        deviation of a single run is NaN.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        names = ["dataset", "model", *sweep.hyperparameters]
        runs = sweep.completed.copy()
        keys = [tuple(map(_comparable, row)) for row in runs[names].itertuples(index=False, name=None)]
        numbers: dict[tuple[Any, ...], int] = {}
        runs["configuration"] = [numbers.setdefault(key, len(numbers)) for key in keys]
        self.runs = runs
        first = runs.drop_duplicates("configuration").set_index("configuration")
        self.table = first[names].copy()
        self.table["n"] = runs["configuration"].value_counts().reindex(self.table.index)
        grouped = runs.groupby("configuration")[sweep.metrics]
        self.means, self.deviations, self.counts = grouped.mean(), grouped.std(), grouped.count()

    def ranked(self, by: str, dataset: str, model: str | None = None, *, higher_is_better: bool) -> list[int]:
        """The configurations of a data set (and model) from the best mean of the column `by` to the worst.

        Those without a number are left out. Of equals, the first directory.
        """
        if by not in self.means:
            return []
        chosen = self.table["dataset"] == dataset
        if model is not None:
            chosen &= self.table["model"] == model
        means = self.means.loc[chosen, by].dropna()
        return means.sort_values(ascending=not higher_is_better, kind="stable").index.tolist()

    def values(self, number: int) -> dict[str, Any]:
        """The swept hyperparameters that the configuration has."""
        row = self.table.loc[number]
        return {key: row[key] for key in self.sweep.hyperparameters if not is_absent(row[key])}

    def runs_of(self, number: int) -> pd.DataFrame:
        """Its completed runs."""
        return self.runs[self.runs["configuration"] == number]

    def by_repeat(self, by: str) -> dict[int, dict[tuple[Any, ...], float]]:
        """For each configuration that has a number in the column `by`: its values, by the repeat (seed, fold).

        Runs of one configuration and one repeat, which different sweeps may hold, count as the mean of them.
        """
        repeats = [key for key in self.sweep.repeats if key in self.runs]
        known = self.runs.dropna(subset=[by])
        values: dict[int, dict[tuple[Any, ...], list[float]]] = {}
        columns = (known[key].tolist() for key in repeats)
        for number, value, *repeat in zip(known["configuration"], known[by], *columns, strict=True):
            values.setdefault(number, {}).setdefault(tuple(map(_comparable, repeat)), []).append(value)
        return {
            number: {repeat: float(np.mean(found)) for repeat, found in by_repeat.items()}
            for number, by_repeat in values.items()
        }


def is_absent(value: Any) -> bool:
    """Whether a run does not have the hyperparameter at all. One that is null is there."""
    return isinstance(value, float) and math.isnan(value)


def _comparable(value: Any) -> Any:
    # 1 and 1.0 and True are one key of a dict, but not one configuration; NaN is not equal to itself.
    return "absent" if is_absent(value) else (type(value).__name__, value)

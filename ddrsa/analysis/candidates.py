"""Candidates for the best: a configuration with its metrics and its run directories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddrsa.analysis.configurations import Configurations, is_absent
from ddrsa.analysis.statistics import Estimate


@dataclass(frozen=True)
class Candidate:
    """A configuration with its repeats put together.

    values: the swept hyperparameters; selected: the metric that selects; metrics: every metric, those of the validation
    units with the prefix `validation_`; repeats: the seeds and folds behind it, by key; directories: the runs behind
    it, relative to the directory of the analysis.
    """

    dataset: str
    model: str
    values: dict[str, Any]
    selected: Estimate
    metrics: dict[str, Estimate]
    repeats: dict[str, list[Any]]
    directories: list[str]


def candidate(configurations: Configurations, number: int, selected: str) -> Candidate:
    """The configuration `number` with its metrics; `selected` is the column of the metric that selects."""
    runs = configurations.runs_of(number)
    row = configurations.table.loc[number]
    metrics = {
        name: Estimate(float(mean), None if np.isnan(deviation) else float(deviation), int(count))
        for name, mean, deviation, count in zip(
            configurations.sweep.metrics,
            configurations.means.loc[number],
            configurations.deviations.loc[number],
            configurations.counts.loc[number],
            strict=True,
        )
        if count
    }
    # Those that were not swept tell which seed it was, where there is one only.
    repeats = {key: distinct_values(runs[key]) for key in ("seed", "fold") if key in runs}
    repeats |= {key: distinct_values(runs[key]) for key in configurations.sweep.repeats}
    return Candidate(
        dataset=str(row["dataset"]),
        model=str(row["model"]),
        values=configurations.values(number),
        selected=metrics[selected],
        metrics=metrics,
        repeats={key: values for key, values in repeats.items() if values},
        directories=runs["directory"].tolist(),
    )


def distinct_values(values: Any) -> list[Any]:
    """The values that there are, each once, in their order; null and absent ones are left out."""
    return list(dict.fromkeys(value for value in values if value is not None and not is_absent(value)))

"""Importance of the hyperparameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ddrsa.analysis.edges import is_logarithmic, is_numeric
from ddrsa.analysis.metrics import metric
from ddrsa.analysis.plots.data import basis, datasets, distinct, headline, require, row_title, swept_here
from ddrsa.analysis.plots.drawn import Drawing, NotDrawn
from ddrsa.analysis.plots.style import OKABE_ITO, grid_of_axes, head, new_figure, tidy

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

# A forest for each of so many seeds: its own chance is seen, and shown.
_FORESTS = 3
# More runs than this change nothing but the time that it takes; so many are drawn at random.
_MOST_RUNS = 500
_FEWEST_RUNS = 8
# Deeper trees, down to the single run, change a share by less than a point and take four times as long.
_DEPTH = 8
_MOST_BARS = 15


def hyperparameter_importance(analysis: Analysis) -> Drawing:
    """The share of the variance of the metric that each hyperparameter explains: fANOVA, by Optuna.

    F. Hutter, H. Hoos, K. Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    Only what every run of a data set has can be compared: a hyperparameter of one model alone is left out, and named.
    """
    criterion = analysis.criterion
    require(analysis, criterion.metric)
    importances: dict[str, dict[str, list[float]]] = {}
    left_out: list[str] = []
    for dataset in datasets(analysis):
        completed = analysis.sweep.completed
        runs = completed[completed["dataset"] == dataset].dropna(subset=[criterion.column])
        swept = [key for key in ("model", *analysis.sweep.hyperparameters) if swept_here(runs, key)]
        shared = [key for key in swept if runs[key].map(_is_there).all()]
        left_out += [key for key in swept if key not in shared]
        if shared and len(runs) >= _FEWEST_RUNS and runs[criterion.column].nunique() > 1:
            importances[dataset] = _importances(runs, shared, criterion.column)
    if not importances:
        raise NotDrawn(
            f"it needs {_FEWEST_RUNS} completed runs of a data set that differ in a hyperparameter and in result"
        )

    longest = max(min(len(shares), _MOST_BARS) for shares in importances.values())
    figure = new_figure(8.0, 1.6 + len(importances) * (0.9 + 0.42 * longest))
    said = []
    for ax, (dataset, shares) in zip(grid_of_axes(figure, len(importances), 1), importances.items(), strict=True):
        names = sorted(shares, key=lambda key: float(np.mean(shares[key])), reverse=True)[:_MOST_BARS]
        means = [100 * float(np.mean(shares[key])) for key in names]
        spreads = [100 * float(np.std(shares[key], ddof=1)) for key in names]
        ax.barh(
            range(len(names)),
            means,
            xerr=spreads,
            color=OKABE_ITO[0],
            edgecolor="black",
            linewidth=0.6,
            capsize=3,
            height=0.65,
        )
        for i, (mean, spread) in enumerate(zip(means, spreads, strict=True)):
            ax.text(mean + spread + 1.5, i, f"{mean:.0f} %", va="center", fontsize="small")
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.set_xlim(0, min(112.0, 1.15 * max(mean + spread for mean, spread in zip(means, spreads, strict=True)) + 6))
        ax.set_xlabel(f"Importance for the {metric(criterion.metric).label} (% of the variance that is explained)")
        row_title(ax, analysis, dataset)
        tidy(ax, "x")
        said.append(f"{dataset}: " + ", ".join(f"{key} {mean:.0f} %" for key, mean in zip(names, means, strict=True)))
    title = headline(analysis, "importance of the hyperparameters")
    note = f"; not of every model, so left out: {', '.join(dict.fromkeys(left_out))}" if left_out else ""
    head(
        figure, title, basis(analysis, f"fANOVA by Optuna; bar: mean ± standard deviation of {_FORESTS} forests{note}")
    )
    return Drawing(figure, title, f"Share of the variance that each hyperparameter explains. {'. '.join(said)}.")


def _is_there(value: Any) -> bool:
    return not (isinstance(value, float) and np.isnan(value))


def _importances(runs: pd.DataFrame, keys: list[str], column: str) -> dict[str, list[float]]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if len(runs) > _MOST_RUNS:
        runs = runs.sample(_MOST_RUNS, random_state=0)
    keys = [key for key in keys if swept_here(runs, key)]
    encoded = {key: _encode(runs, key) for key in keys}
    distributions = {key: distribution for key, (_, distribution) in encoded.items()}
    with _quiet():
        study = optuna.create_study()
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params={key: encoded[key][0][i] for key in keys}, distributions=distributions, value=float(value)
                )
                for i, value in enumerate(runs[column])
            ]
        )
        found = [
            get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed, max_depth=_DEPTH), params=keys)
            for seed in range(_FORESTS)
        ]
    return {key: [one[key] for one in found] for key in keys}


def _encode(runs: pd.DataFrame, key: str) -> tuple[list[Any], Any]:
    """The values as Optuna takes them, and the distribution that they may come from."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    values = distinct(runs, key)
    if is_numeric(values):
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
        return [float(value) for value in runs[key]], FloatDistribution(
            min(numbers), max(numbers), log=is_logarithmic(numbers)
        )
    return [str(value) for value in runs[key]], CategoricalDistribution([str(value) for value in values])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's notes about the study, which exists for a moment only."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)

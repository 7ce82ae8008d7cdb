"""Fitting of boosted trees of the discrete-time hazard, by scikit-learn's HistGradientBoostingClassifier.

Within an interval of the horizon the hazard h is constant, so a window that survives n of its steps and then fails, or
does not, has the likelihood (1 - h)^n h, or (1 - h)^n: that of a logistic regression with a row of weight n and label
0, and a row of weight 1 and label 1 (Tutz and Schmid, "Modeling Discrete Time-to-Event Data", 2016, section 3.4). The
sum of the weighted log losses is the negative log-likelihood of the windows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.data.windows import Windows
from ddrsa.errors import ConfigError
from ddrsa.models.boosting import BoostedDDRSA, summaries
from ddrsa.models.options import BoostingOptions
from ddrsa.survival.losses import event_inside, known_steps

log = logging.getLogger(__name__)

_WINDOWS_AT_ONCE = 2048
# scikit-learn prepares its data for each fit, which takes as long as tens of trees.
_EPOCHS_AT_ONCE = 10


@dataclass(frozen=True)
class HazardRows:
    """Rows of the logistic regression, (R,): of a window, in an interval of the horizon, with label and weight."""

    window: NDArray[np.int64]
    interval: NDArray[np.int64]
    label: NDArray[np.int64]
    weight: NDArray[np.float64]


def hazard_rows(time_to_event: Tensor, event_observed: Tensor, starts: list[int], horizon: int) -> HazardRows:
    """The rows of B windows.

    Args:
        time_to_event, event_observed: (B,), as in `Batch`. starts: the first steps of the intervals of the horizon.
    """
    event = event_inside(time_to_event, event_observed, horizon).numpy()
    survived = known_steps(time_to_event, event_observed, horizon).numpy()
    survived = np.where(event, time_to_event.numpy().astype(np.int64), survived)
    ends = np.array([*starts[1:], horizon])
    # (B, J) the steps of each interval that are survived.
    steps = np.clip(np.minimum(survived[:, None], ends) - np.array(starts), 0, None)
    window, interval = np.nonzero(steps)
    failed = np.flatnonzero(event)
    at = np.searchsorted(starts, survived[failed], side="right") - 1
    return HazardRows(
        np.concatenate([window, failed]),
        np.concatenate([interval, at]),
        np.repeat([0, 1], [len(window), len(failed)]),
        np.concatenate([steps[window, interval].astype(np.float64), np.ones(len(failed))]),
    )


def boost(
    model: BoostedDDRSA, options: BoostingOptions, training: Windows, validation: Windows, num_epochs: int
) -> Iterator[tuple[float, Tensor]]:
    """Add `trees_per_epoch` trees to the model for each item: the mean negative log-likelihood of the training windows
    that it is fitted to, and the hazard logits of the validation windows, (N, L).
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        needed = "model=boosting needs scikit-learn, which is not installed: pip install 'ddrsa[models]'"
        raise ConfigError(needed) from error

    chosen = _windows_within(model, training, options.max_rows)
    times = training.time_to_event[chosen].cpu(), training.event_observed[chosen].cpu()
    rows = hazard_rows(*times, model.starts, model.horizon)
    summary = _summaries(training, chosen).cpu()
    table = torch.cat([summary[rows.window], torch.from_numpy(rows.interval)[:, None].to(summary.dtype)], 1)
    edges = [*bin_edges(summary.numpy()), np.arange(len(model.starts), dtype=np.float32)]
    bins = np.stack(
        [np.searchsorted(edge, column).astype(np.uint8) for edge, column in zip(edges, table.numpy().T, strict=True)], 1
    )
    trees = HistGradientBoostingClassifier(
        learning_rate=options.shrinkage,
        max_leaf_nodes=options.max_leaf_nodes,
        min_samples_leaf=options.min_samples_leaf,
        early_stopping=False,
        warm_start=True,
        random_state=0,
    )
    score = torch.zeros(len(table))
    validation_rows = model.rows(_summaries(validation, validation.order()))
    validation_score = torch.zeros(len(validation_rows), device=validation.device)
    label, weight = torch.from_numpy(rows.label).double(), torch.from_numpy(rows.weight)
    for epoch in range(num_epochs):
        fitted = min(epoch + _EPOCHS_AT_ONCE, num_epochs) * options.trees_per_epoch
        if epoch % _EPOCHS_AT_ONCE == 0:
            trees.set_params(max_iter=fitted)
            with threadpool_limits(torch.get_num_threads(), user_api="openmp"):
                trees.fit(bins, rows.label, sample_weight=rows.weight)
            tables = tree_tables(trees._predictors, edges)
        before, until = epoch * options.trees_per_epoch, (epoch + 1) * options.trees_per_epoch
        model.set_trees(trees._baseline_prediction.item(), {name: values[:until] for name, values in tables.items()})
        score += model.sum_of_trees(table.to(training.device), before).cpu()
        validation_score += model.sum_of_trees(validation_rows, before)
        logits = (score + model.prior.cpu()).double()
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
        yield float((losses * weight).sum() / len(chosen)), model.logits(validation_score)


def _summaries(windows: Windows, index: Tensor) -> Tensor:
    return torch.cat([summaries(windows.gather(part).windows) for part in index.split(_WINDOWS_AT_ONCE)])


def bin_edges(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Of each column of (N, S) at most 254 of its values, evenly spread in its order: a value's bin is the number of
    edges below it.

    scikit-learn makes bins of its own, by weighted quantiles that it computes one by one, which takes longer than
    hundreds of trees; values that are the numbers of bins already it leaves as they are.
    """
    shares = np.linspace(0, 1, 256)[1:-1]
    return [np.unique(np.quantile(column, shares, method="lower")) for column in values.T]


def tree_tables(predictors: list[list[Any]], edges: list[NDArray[np.float32]]) -> dict[str, Tensor]:
    """The trees of HistGradientBoostingClassifier, fitted to numbers of bins, as the tables of `BoostedDDRSA`."""
    nodes = [tree.nodes for (tree,) in predictors]
    size = max(len(tree) for tree in nodes)
    shape = (len(nodes), size)
    feature, threshold, value = np.zeros(shape, np.int64), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    left = np.tile(np.arange(size), (len(nodes), 1))
    right = left.copy()
    for number, tree in enumerate(nodes):
        inner = np.flatnonzero(~tree["is_leaf"].astype(bool))
        feature[number, inner] = tree["feature_idx"][inner]
        # Bins up to c go to the left: values up to edge c.
        at = np.floor(tree["num_threshold"][inner]).astype(np.int64)
        threshold[number, inner] = [edges[f][c] for f, c in zip(tree["feature_idx"][inner], at, strict=True)]
        left[number, inner] = tree["left"][inner]
        right[number, inner] = tree["right"][inner]
        value[number, : len(tree)] = tree["value"]
    tables = {"feature": feature, "threshold": threshold, "left": left, "right": right, "value": value}
    return {name: torch.from_numpy(table) for name, table in tables.items()}


def _windows_within(model: BoostedDDRSA, training: Windows, max_rows: int) -> Tensor:
    """The index of the windows, (N,), evenly fewer of them where all would give too many rows."""
    rows = hazard_rows(training.time_to_event.cpu(), training.event_observed.cpu(), model.starts, model.horizon)
    step = -(-len(rows.window) // max_rows)
    if step > 1:
        kept = -(-len(training) // step)
        log.info(
            "fits to every %dth of the %d training windows, %d: model.max_rows=%d", step, len(training), kept, max_rows
        )
    return torch.arange(0, len(training), step, device=training.device)

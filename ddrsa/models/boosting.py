"""Boosted trees of the discrete-time hazard, on summaries of the window.

The trees are fitted by scikit-learn (`training/boosting.py`) and kept as plain tensors, so that a checkpoint holds no
object that loading would have to build, and forecasts need no scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ddrsa.models.base import DDRSAModel, ages

# Rows of the mean that stands for the present state: less noise than the last row alone.
RECENT_ROWS = 8
_TREES = ("feature", "threshold", "left", "right", "value")
# Pairs of a row and a tree at a time.
_PAIRS_AT_ONCE = 1_000_000


class BoostedDDRSA(DDRSAModel):
    """A sum of trees of the window's summaries and of the step: the logit of the hazard.

    The hazard is constant within intervals of the horizon, which are short where the failure is near.

    depth: the steps from the root to the deepest leaf of any tree.
    Buffers: prior (), the logit without any tree; feature, threshold, left, right, value (T, M), the nodes of each of T
    trees: a row goes to `left` where its `feature` is at or below `threshold`, else to `right`; a leaf leads to itself.

    Args:
        num_features: F. horizon: L.
    """

    reads_age = True
    steps_at_once = 250_000
    prior: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor

    def __init__(self, num_features: int, horizon: int) -> None:
        super().__init__()
        self.num_features, self.horizon = num_features, horizon
        self.starts = interval_starts(horizon)
        self.depth = 0
        self.register_buffer("prior", torch.zeros(()))
        for name in _TREES:
            dtype = torch.float32 if name in ("threshold", "value") else torch.int64
            self.register_buffer(name, torch.zeros((0, 1), dtype=dtype))

    @property
    def num_columns(self) -> int:
        """The columns that trees look at: those of `summaries`, and the interval."""
        return 4 * self.num_features + 2

    @property
    def num_parameters(self) -> int:
        """The nodes of all trees, without what fills their tables up."""
        here = torch.arange(self.left.shape[1], device=self.left.device)
        inner = self.left != here
        return int((2 * inner.sum(1) + 1).sum())

    def forward(self, windows: Tensor) -> Tensor:
        """Hazard logits (B, L) from windows (B, K, F + 1) with ages."""
        return self.logits(self.sum_of_trees(self.rows(summaries(windows))))

    def logits(self, sums: Tensor) -> Tensor:
        """Hazard logits (B, L) from the sum of the trees at `rows`, (B * J,)."""
        of_interval = self.prior + sums.reshape(-1, len(self.starts))
        lengths = [b - a for a, b in pairwise([*self.starts, self.horizon])]
        interval = [number for number, length in enumerate(lengths) for _ in range(length)]
        return of_interval.index_select(1, torch.tensor(interval, device=sums.device))

    def rows(self, summary: Tensor) -> Tensor:
        """(B * J, num_columns): each of the summaries (B, S) with the number of each of J intervals."""
        number = torch.arange(len(self.starts), dtype=summary.dtype, device=summary.device)
        repeated = summary[:, None].expand(-1, len(number), -1)
        numbers = number[None, :, None].expand(summary.shape[0], -1, -1)  # len() would be a fixed size to an export
        return torch.cat([repeated, numbers], 2).flatten(0, 1)

    def sum_of_trees(self, rows: Tensor, first: int = 0) -> Tensor:
        """(R,) the sum of the trees from number `first` on, at the rows (R, num_columns)."""
        trees = torch.arange(first, len(self.feature), device=rows.device)
        if not len(trees):
            return torch.zeros(len(rows), device=rows.device)
        if torch.compiler.is_exporting():  # parts of a batch of any size have no number
            return self._sum(rows, trees)
        return torch.cat([self._sum(part, trees) for part in rows.split(max(1, _PAIRS_AT_ONCE // len(trees)))])

    def _sum(self, rows: Tensor, trees: Tensor) -> Tensor:
        node = torch.zeros((rows.shape[0], len(trees)), dtype=torch.int64, device=rows.device)
        for _ in range(self.depth):
            below = rows.gather(1, self.feature[trees, node]) <= self.threshold[trees, node]
            node = torch.where(below, self.left[trees, node], self.right[trees, node])
        return self.value[trees, node].sum(1)

    def set_trees(self, prior: float, trees: Mapping[str, Tensor]) -> None:
        """Take the trees: the buffers of the class by name, each (T, M). Raises ValueError where they are none."""
        self._check(trees)
        self.depth = _depth(trees["left"], trees["right"])
        device = self.prior.device
        self.prior = torch.tensor(prior, dtype=torch.float32, device=device)
        for name in _TREES:
            setattr(self, name, trees[name].to(device=device, dtype=getattr(self, name).dtype))

    def _check(self, trees: Mapping[str, Tensor]) -> None:
        shapes = {trees[name].shape for name in _TREES}
        if len(shapes) != 1 or trees["feature"].ndim != 2 or 0 in trees["feature"].shape:
            raise ValueError("the tables of the trees differ in their shapes")
        here = torch.arange(trees["left"].shape[1], device=trees["left"].device)
        for name in ("left", "right"):
            # Only forward: a walk down a tree then ends.
            if trees[name].is_floating_point() or bool(((trees[name] < here) | (trees[name] > here[-1])).any()):
                raise ValueError(f"{name} leads out of a tree or back")
        if bool(((trees["left"] == here) != (trees["right"] == here)).any()):
            raise ValueError("a node is half a leaf")
        feature = trees["feature"]
        if feature.is_floating_point() or bool(((feature < 0) | (feature >= self.num_columns)).any()):
            raise ValueError(f"a tree reads a column that is none of the {self.num_columns}")
        if not bool(trees["value"].isfinite().all()):
            raise ValueError("a value is not finite")

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        found = {name: state_dict[f"{prefix}{name}"] for name in _TREES if f"{prefix}{name}" in state_dict}
        if len(found) == len(_TREES):
            if len(found["feature"]):
                self._check(found)
            self.depth = _depth(found["left"], found["right"])
            for name, table in found.items():  # as many trees as were fitted
                setattr(self, name, torch.zeros_like(table, dtype=getattr(self, name).dtype, device=self.prior.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _depth(left: Tensor, right: Tensor) -> int:
    """The steps from the roots to the deepest leaves of the trees, (T, M) each; nodes lead forward only."""
    reached = torch.zeros(left.shape, dtype=torch.int64, device=left.device)
    for node in range(left.shape[1]):
        inner = left[:, node] != node
        for following in (left[:, node], right[:, node]):
            further = torch.maximum(reached.gather(1, following[:, None])[:, 0], reached[:, node] + 1)
            reached.scatter_(1, following[:, None], torch.where(inner, further, reached[:, node])[:, None])
    return int(reached.max()) if reached.numel() else 0


def interval_starts(horizon: int) -> list[int]:
    """The first steps of the intervals of the horizon: 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...

    >>> interval_starts(10)
    [0, 1, 2, 3, 4, 6, 8]
    """
    starts = [0, 1, 2, 3]
    power = 4
    while power < horizon:
        starts += [power, power * 3 // 2]
        power *= 2
    return [start for start in starts if start < horizon]


def summaries(windows: Tensor) -> Tensor:
    """(B, 4 F + 1) of windows (B, K, F + 1) with ages, without the padding: each feature's mean over the last rows, its
    mean, slope per row and standard deviation over the window; and the age.
    """
    real = (windows[..., -1:] > 0).to(windows.dtype)
    values = windows[..., :-1]
    count = real.sum(1)
    recent = real[:, -RECENT_ROWS:]
    recent_mean = (values[:, -RECENT_ROWS:] * recent).sum(1) / recent.sum(1)
    mean = (values * real).sum(1) / count
    deviation = (values - mean[:, None]) * real
    # Rows from the middle of those that are there.
    position = torch.arange(windows.shape[1], device=windows.device, dtype=windows.dtype)[None, :, None]
    offset = (position - windows.shape[1] + 1 + (count[:, None] - 1) / 2) * real
    slope = (deviation * offset).sum(1) / (offset**2).sum(1).clamp(min=0.5)  # that of two rows; of one it is 0
    spread = (deviation.square().sum(1) / count).sqrt()
    return torch.cat([recent_mean, mean, slope, spread, ages(windows)[:, None].to(windows.dtype)], 1)

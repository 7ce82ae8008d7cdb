"""Forecasts of many windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from ddrsa.models.base import DDRSAModel

# Windows at a time on a GPU where no gradient is kept.
GPU_BATCH_SIZE = 2048
# Rows at a time, where a model forecasts at every row at once; and the share of the rows, one in so many, above which
# that costs less than windows.
ROWS_AT_ONCE = 2048
GPU_ROWS_AT_ONCE = 65_536
_ROWS_OF_A_WINDOW = 8


class UnitWindows(Protocol):
    """What is asked of `data.windows.Windows`."""

    lookback: int
    rows_before: Tensor

    @property
    def device(self) -> torch.device:
        """The device of the rows."""

    def __len__(self) -> int: ...

    def rows(self, first: int, end: int) -> Tensor:
        """(end - first, F + 1) rows of the units."""

    def gather(self, index: Tensor) -> Any:
        """A batch with `windows` (B, K, F + 1), of those that end at the rows `index`."""


@torch.no_grad()
def forecast(model: DDRSAModel, batches: Iterable[Tensor]) -> Tensor:
    """Hazard logits (N, L) of all windows of `batches`, each (B, K, F + 1), without dropout and without gradients."""
    with _without_dropout(model):
        return torch.cat([model(windows) for windows in batches])


@torch.no_grad()
def forecast_windows(model: DDRSAModel, windows: UnitWindows, index: Tensor | None = None) -> Tensor:
    """Hazard logits (R, L) of the windows that end at the rows `index`, (R,), or at every row.

    Where the model can, what neighbouring windows share is computed once.
    """
    num_rows = len(windows) if index is None else len(index)
    if model.reads_rows(windows.lookback) and num_rows * _ROWS_OF_A_WINDOW >= len(windows):
        with _without_dropout(model):
            logits = torch.cat(list(_at_every_row(model, windows)))
        return logits if index is None else logits[index]
    if index is None:
        index = torch.arange(len(windows), device=windows.device)
    size = forecast_batch_size(model, windows.lookback, windows.device)
    return forecast(model, (windows.gather(part).windows for part in index.split(size)))


def _at_every_row(model: DDRSAModel, windows: UnitWindows) -> Iterator[Tensor]:
    at_once = ROWS_AT_ONCE if windows.device.type == "cpu" else GPU_ROWS_AT_ONCE
    for first in range(0, len(windows), at_once):
        end = min(first + at_once, len(windows))
        # With the rows before that the first window sees.
        begin = first - min(windows.lookback - 1, int(windows.rows_before[first]))
        rows, rows_before = windows.rows(begin, end), windows.rows_before[begin:end]
        yield model.at_every_row(rows, rows_before, windows.lookback)[first - begin :]


@contextmanager
def _without_dropout(model: DDRSAModel) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def forecast_batch_size(model: DDRSAModel, lookback: int, device: torch.device) -> int:
    """The number of windows of `lookback` rows to forecast at a time."""
    return model.windows_at_once(lookback) if device.type == "cpu" else GPU_BATCH_SIZE

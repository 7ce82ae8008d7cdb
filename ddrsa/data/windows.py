"""Windows of the last K rows, gathered batch by batch from the one array that holds all units' rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ddrsa.data.sequences import Sequences


class Batch(NamedTuple):
    """B windows.

    windows: (B, K, F + 1). The last row is the one the forecast is made at. Where a unit has fewer than K rows, zeros
        stand before them; the last channel is 1 (or the age) on the unit's rows and 0 on that padding.
    time_to_event: (B,) in cycles.
    event_observed: (B,) bool.
    """

    windows: Tensor
    time_to_event: Tensor
    event_observed: Tensor


class Windows:
    """One window per row of `sequences`, in the order of the rows.

    The rows lie once on the device, with K - 1 zero rows before each unit; a window is K consecutive rows of that
    array, seen through a strided view. Gathering a batch copies the batch and nothing else.

    Args:
        sequences: the units.
        lookback: K, in rows.
        device: where the rows and the batches lie.
        ages: the last channel is the number of the row within its unit, from 1, in the place of 1.

    rows_before: (N,) int64, how many rows of its unit stand before each.
    """

    def __init__(
        self, sequences: Sequences, lookback: int, device: torch.device | str = "cpu", *, ages: bool = False
    ) -> None:
        self.lookback = lookback
        self.num_features = sequences.features.shape[1]
        # Each unit's rows move back by the padding of the units up to and including its own.
        unit_number = np.repeat(np.arange(sequences.num_units), np.diff([*sequences.starts, sequences.num_rows]))
        position = np.arange(sequences.num_rows) + (unit_number + 1) * (lookback - 1)
        rows = np.zeros((sequences.num_rows + sequences.num_units * (lookback - 1), self.num_features + 1), np.float32)
        rows[position, :-1] = sequences.features
        rows[position, -1] = np.arange(sequences.num_rows) - sequences.unit_start_of_row + 1 if ages else 1.0
        self._rows = torch.from_numpy(rows).to(device)
        width = rows.shape[1]
        self._view = self._rows.as_strided((len(rows) - lookback + 1, lookback, width), (width, width, 1))
        self._first_row = torch.from_numpy(position - (lookback - 1)).to(device)
        before = np.arange(sequences.num_rows) - sequences.unit_start_of_row
        self.rows_before = torch.from_numpy(before.astype(np.int64)).to(device)
        self.unit = torch.from_numpy(np.array(sequences.unit)).to(device)
        self.time_to_event = torch.from_numpy(np.array(sequences.time_to_event)).to(device)
        self.event_observed = torch.from_numpy(np.array(sequences.event_observed)).to(device)

    @property
    def device(self) -> torch.device:
        """The device of the rows and the batches."""
        return self._rows.device

    def __len__(self) -> int:
        return len(self._first_row)

    def rows(self, first: int, end: int) -> Tensor:
        """(end - first, F + 1) rows of the units, one behind the other, without padding."""
        return self._rows.index_select(0, self._first_row[first:end] + self.lookback - 1)

    @property
    def table(self) -> Tensor:
        """(R, F + 1) rows of the units, one behind the other, with K - 1 rows of zeros before each unit."""
        return self._rows

    def ends(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The places in `table` of the last rows of windows, (B,), and how many rows of its unit stand before each."""
        return self._first_row[index] + self.lookback - 1, self.rows_before[index]

    def gather(self, index: Tensor) -> Batch:
        """The windows that end at the rows `index`, (B,) int64."""
        return Batch(
            # index_select copies whole windows; view[index] would go element by element.
            self._view.index_select(0, self._first_row[index]),
            self.time_to_event[index],
            self.event_observed[index],
        )

    def order(self, generator: torch.Generator | None = None) -> Tensor:
        """The index of every window once, (N,): shuffled by a (CPU) `generator`, else in the order of the rows."""
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        return order.to(self.device)

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All windows once, in the order of the rows."""
        for index in self.order().split(batch_size):
            yield self.gather(index)

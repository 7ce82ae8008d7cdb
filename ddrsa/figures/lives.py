"""Forecasts along the lives of units, and the units that stand for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddrsa.data.sequences import Sequences

# Where in the order of their lifetimes the sample units stand: a short life, a usual one, a long one.
SAMPLE_POSITIONS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, eq=False)
class Life:
    """One unit that ran to failure. logits: (T, L), the forecast at each row. time_to_event: (T,) in steps."""

    unit: int | str
    logits: Tensor
    time_to_event: np.ndarray[tuple[int], np.dtype[np.float32]]

    @property
    def cycle(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """(T,) from 1."""
        return np.arange(1, len(self.time_to_event) + 1)

    @property
    def failure(self) -> float:
        """The cycle of the failure."""
        return float(self.time_to_event[0]) + 1

    @property
    def horizon(self) -> int:
        return int(self.logits.shape[1])


def sample_lives(sequences: Sequences, logits: Tensor) -> list[Life]:
    """Up to three units that were seen up to their failure, by `SAMPLE_POSITIONS`; none where there is no such unit.

    logits: (N, L), the forecast at each row of `sequences`, on the CPU.
    """
    ends = np.append(sequences.starts[1:], sequences.num_rows)
    failed = np.flatnonzero(sequences.unit_event_observed & (sequences.time_to_event[ends - 1] == 0))
    by_lifetime = failed[np.argsort(sequences.lifetimes[failed], kind="stable")]
    chosen = {int(by_lifetime[round(p * (len(failed) - 1))]) for p in SAMPLE_POSITIONS if len(failed)}
    lives = []
    for number in sorted(chosen, key=lambda number: float(sequences.lifetimes[number])):
        rows = slice(int(sequences.starts[number]), int(ends[number]))
        unit = sequences.unit_titles[number]
        lives.append(Life(unit, logits[rows].to(torch.float64), np.array(sequences.time_to_event[rows])))
    return lives

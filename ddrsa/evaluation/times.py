"""What is known of the windows and units of a data split, as survival metrics see it."""

from __future__ import annotations

import numpy as np

from ddrsa.data.sequences import Sequences
from ddrsa.survival.metrics import Bools, Floats


def observed_times(sequences: Sequences, horizon: int) -> tuple[Floats, Bools]:
    """The time of each window as survival metrics see it, min(tau, L), and whether the event is seen before L; (N,).

    The time of a window that is censored after c cycles is c, but L where c is L - 1: it is known to outlive that.
    """
    time = sequences.time_to_event.astype(np.float64)
    outlived = time >= np.where(sequences.event_observed, horizon, horizon - 1)
    return np.where(outlived, float(horizon), time), sequences.event_observed & ~outlived


def ends_of_lives(sequences: Sequences) -> tuple[Floats, Bools]:
    """The age of each unit, in rows from 0, at its failure or else at its last row, and whether it failed; (U,)."""
    last = np.append(sequences.starts[1:], sequences.num_rows) - 1
    failed = sequences.event_observed[last]
    beyond = np.where(failed, sequences.time_to_event[last], 0).astype(np.float64)
    return last - sequences.starts + beyond, failed


def ages(sequences: Sequences) -> Floats:
    """The age of the unit at each row, in rows from 0, (N,)."""
    return (np.arange(sequences.num_rows) - sequences.unit_start_of_row).astype(np.float64)

"""Common steps: forecasts of runs whose rows are of several lengths, measured at the same moments and in one length.

A measured step is m steps of the run. Both begin with a life, so the moments at which a measured step of a life ends
are moments of every run whose step it is a multiple of. There a unit is known to be alive: that it may have failed
within the row that is read, the first hazard of a forecast, has no part in what is measured.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from ddrsa.data.evaluation_step import least_horizon
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.survival.calibration.correction import log_one_minus_exp
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.survival.precision import to_float64
from ddrsa.texts import count_of


class EvaluationSteps:
    """The rows of `units` at which forecasts are measured, and what is known there, in measured steps.

    steps: m, rows to a measured step. horizon: the measured steps that forecasts are measured up to.

    rows: (M,) those of `units` that end a measured step in which the unit was alive throughout, and after which
        something is known of it. units: these rows, with the time to event in measured steps: 0 where the unit fails
        within the next one. It has no features.

    Raises ConfigError where no unit is seen for so long.

    Which steps of a life are complete is known of all but that of its last row. So these are the same rows of the same
    lives for every m of the same measured step: of steps counted from the beginning of a life, n of them rows,
    (n - 1) // m measured ones are complete, and step e of the event is in the measured one e // m. Rows that are left
    out at the beginning of a life, before every feature has a value, end before the same moment in all of them.
    """

    def __init__(self, units: Sequences, steps: int, horizon: int) -> None:
        self.steps, self.horizon = steps, horizon
        position = units.positions
        counts = np.diff(np.append(units.starts, units.num_rows))
        complete = (np.repeat(position[units.starts] + counts, counts) - 1) // steps
        # The measured step that the row ends, and how many more are known: of a censored unit those that it survives.
        ended = (position + 1) // steps - 1
        event = (position + units.time_to_event.astype(np.int64)) // steps
        left = np.where(units.event_observed, event - ended - 1, complete - ended - 2)
        kept = ((position + 1) % steps == 0) & (ended < complete) & (left >= 0)
        self.rows: NDArray[np.int64] = np.flatnonzero(kept)
        if not len(self.rows):
            raise ConfigError(
                f"dataset.evaluation_step: of {count_of(units.num_units, 'unit')} none is seen for two such "
                f"steps, {2 * steps} rows"
            )
        self.units = Sequences(
            np.zeros((len(self.rows), 0), np.float32),
            units.unit[kept],
            left[kept].astype(np.float32),
            units.event_observed[kept],
            (),
            None if units.group is None else units.group[kept],
        )

    def measured(self, logits: Tensor) -> Tensor:
        """The hazard logits (M, horizon) of the measured steps, float64, from those (N, L) of every row of the units.

        L is `least_horizon` or more.
        """
        chosen = to_float64(logits[torch.from_numpy(self.rows).to(logits.device)])
        # The first hazard is that of the row itself: alive at its end, the unit has passed it.
        survived = logsigmoid(-chosen[:, 1 : least_horizon(self.steps, self.horizon)])
        survived = survived.reshape(len(chosen), self.horizon, self.steps).sum(-1)
        return log_one_minus_exp(survived) - survived

    def likelihood(self, logits: Tensor) -> float:
        """The mean negative log-likelihood of `measured`, from the logits (N, L) of every row of the units."""
        at = (torch.from_numpy(np.array(each)) for each in (self.units.time_to_event, self.units.event_observed))
        measured = self.measured(logits)
        return float(negative_log_likelihood(measured, *(each.to(measured.device) for each in at)).mean())

"""Calibration of a trained model by the windows of its validation units."""

from __future__ import annotations

import math

from torch import Tensor

from ddrsa.data.windows import Windows
from ddrsa.survival.calibration.correction import Calibration, exact_correction
from ddrsa.survival.calibration.fit import SPREAD, UNKNOWN, FittingWindows
from ddrsa.training.options import TrainingOptions


def calibrate(options: TrainingOptions, logits: Tensor, validation: Windows) -> tuple[Calibration, Tensor]:
    """The calibration that `options` ask for, and the calibrated hazard logits of the validation windows, (N, L).

    What is fitted on validation units is judged out of fold: each unit's forecasts are then those of the fit on others.

    logits: (N, L) as the model gives them.
    """
    exact = exact_correction(options.lambda_param) if _has_exact(options) else Calibration()
    if options.calibration == "none":
        return Calibration(), logits
    if options.calibration == "odds":
        return exact, exact(logits)
    windows = FittingWindows(logits, validation.time_to_event, validation.event_observed, validation.unit)
    # Of a loss that does not depend on the odds theory says nothing, not even that they are right.
    spread = UNKNOWN if options.loss == "ddrsa" and not _has_exact(options) else SPREAD
    return windows.fit(exact, spread), windows.out_of_fold(exact, spread)


def _has_exact(options: TrainingOptions) -> bool:
    # With lambda 1 no window says anything of the odds.
    return options.loss == "ddrsa" and options.lambda_param < 1


def described(options: TrainingOptions, calibration: Calibration) -> str:
    """What the calibration does to the forecasts, or that nothing is done where theory says that something should."""
    name, factor = f"calibration={options.calibration}", math.exp(calibration.offset)
    if calibration.method == "fitted":
        return f"{name}: odds of an event inside the horizon to the power {calibration.slope:.3g}, times {factor:.3g}"
    if options.calibration == "fitted":
        return f"{name}: the validation units show too little to fit it, so odds are multiplied by {factor:.3g}"
    if calibration.is_identity and _has_exact(options) and options.lambda_param > 0:
        high = 1 / (1 - options.lambda_param)
        return f"{name}: the odds of an event inside the horizon are {high:.3g} times too high by theory"
    return f"{name}: the odds of an event inside the horizon are multiplied by {factor:.3g}"

"""The step in which runs of several `dataset.step` are measured alike, `dataset.evaluation_step`."""

from __future__ import annotations

import math

from ddrsa.data.options import DatasetOptions, TableOptions
from ddrsa.errors import ConfigError


def measured_steps(options: DatasetOptions) -> int | None:
    """How many steps of a run make a measured one; None where it is measured in its own.

    Raises ConfigError where they do not make a whole number.
    """
    if not isinstance(options, TableOptions) or options.evaluation_step is None:
        return None
    step, measured = options.step, options.evaluation_step
    if isinstance(step, str) != isinstance(measured, str):
        kind = "a duration such as 24h" if isinstance(step, str) else "a number"
        raise ConfigError(f"dataset.evaluation_step={measured}: dataset.step={step}, so {kind} is expected")
    if isinstance(step, str):
        from ddrsa.data.table.durations import step_in_nanoseconds  # with pandas, which others need not wait for

        ratio = step_in_nanoseconds(measured, "dataset.evaluation_step") / step_in_nanoseconds(step)
    else:
        ratio = measured / step
    steps = round(ratio)
    if steps < 1 or not math.isclose(ratio, steps, rel_tol=1e-9):
        raise ConfigError(
            f"dataset.evaluation_step={measured}: it is {ratio:.4g} times dataset.step={step}; allowed is a whole "
            "number of each step that is compared"
        )
    return steps


def least_horizon(steps: int, evaluation_horizon: int) -> int:
    """The steps that a forecast must have to be measured for `evaluation_horizon` measured steps of `steps` each.

    One more than these: the first is that of the row itself, at whose end the unit is known to be alive.
    """
    return steps * evaluation_horizon + 1

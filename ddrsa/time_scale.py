"""The scale on which the steps of a forecast are told: cycles, hours, days, or the user's own numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.inputs import TrainingInputs
from ddrsa.data.options import DatasetOptions, TableOptions
from ddrsa.errors import ConfigError
from ddrsa.time_units import CYCLES, DATES, SECONDS, counted, unit_of_column, unit_of_horizon
from ddrsa.trained import TrainedRun

TIME_UNITS = tuple(SECONDS)

# Where the user chooses no windows: the largest three that the horizon holds.
_USUAL = ("1s", "10s", "1min", "10min", "1h", "6h", "1d", "7d", "30d", "90d", "365d")
_NUM_WINDOWS = 3


@dataclass(frozen=True)
class TimeScale:
    """unit: what times are told in. length: of one step, in that unit. seconds: of one step; None without dates."""

    unit: str = CYCLES
    length: float = 1.0
    seconds: float | None = None

    @property
    def has_dates(self) -> bool:
        return self.seconds is not None

    def told(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Times in steps, any shape, in `unit`."""
        return np.asarray(steps * self.length)

    def text(self, steps: float) -> str:
        """A time in steps, in words: 18 hours, 2.5 days, 12 cycles."""
        if self.seconds is None:
            return counted(steps * self.length, self.unit)
        seconds = abs(steps * self.seconds)
        for unit, size in SECONDS.items():
            # 36 hours and not 1.5 days, but 1 day.
            if seconds >= 2 * size or (seconds >= size and math.isclose(seconds % size, 0, abs_tol=1e-6 * size)):
                return counted(steps * self.seconds / size, unit)
        return counted(steps * self.seconds, "seconds")

    def step_text(self) -> str:
        """What a step is: 'step of 6 hours', or 'cycle'."""
        return "cycle" if self.unit == CYCLES else f"step of {self.text(1)}"

    def later(self, times: pd.Index, steps: NDArray[np.float64]) -> pd.Index:
        """The dates that lie `steps` after `times`; missing where the steps are."""
        assert self.seconds is not None
        return pd.DatetimeIndex(times) + pd.to_timedelta(np.round(steps * self.seconds), unit="s")

    def steps(self, key: str, value: Any) -> float:
        """A time that the user gave, in steps: a duration such as 7d where rows have dates, else a number of `unit`.

        Raises ConfigError, which names `key`, where it is neither, or not above 0.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{key}={value}: allowed is {self._allowed}")
            if self.seconds is not None:
                raise ConfigError(f"{key}={value}: of what? The data have dates: allowed is {self._allowed}")
            return float(value) / self.length
        try:
            seconds = _seconds(value) if self.seconds is not None else math.nan
        except (ValueError, TypeError):
            seconds = math.nan
        if self.seconds is None or not seconds > 0:
            raise ConfigError(f"{key}={value}: allowed is {self._allowed}")
        return float(seconds) / self.seconds

    @property
    def _allowed(self) -> str:
        if self.seconds is None:
            return f"a number of {self.unit} above 0"
        return "a duration above 0 such as 12h or 7d"


@dataclass(frozen=True)
class Window:
    """The time to look ahead. label: as the user gave it. text: in words. steps: how many of the hazards lie in it."""

    label: str
    text: str
    steps: int


def recorded_step(inputs: TrainingInputs | None, options: DatasetOptions, steps: int = 1) -> dict[str, Any]:
    """How long so many steps are, for the record of a run: `length` in `unit`, `DATES` where rows have dates.

    Empty where rows are cycles, or nothing says what they are.
    """
    if inputs is None or inputs.step is None:
        return {}
    if inputs.dates:
        return {"length": steps * inputs.step, "unit": DATES}
    if not isinstance(options, TableOptions):
        return {}
    length = steps * inputs.step
    return {"length": length, "unit": unit_of_column(options.time_column, length)}


def time_scale(run: TrainedRun, unit: str | None = None) -> TimeScale:
    """The scale of the run's steps. unit: of `TIME_UNITS`, or None: the largest of which the horizon has a few.

    Raises ConfigError where a unit is given and the run's data have no dates.
    """
    has_dates = run.inputs is not None and run.inputs.step is not None and run.inputs.dates
    if unit is not None and not has_dates:
        raise ConfigError(f"time_unit={unit}: the data of the run have no dates, so nothing says what that is")
    return scale_of(recorded_step(run.inputs, run.config.dataset), run.config.horizon, unit)


def scale_of(step: Mapping[str, Any], horizon: int, unit: str | None = None) -> TimeScale:
    """The scale of steps as `recorded_step` has them. unit: of `TIME_UNITS`, where rows have dates."""
    if not step:
        return TimeScale()
    if step["unit"] != DATES:
        return TimeScale(step["unit"], step["length"])
    unit = unit or unit_of_horizon(step["length"] * horizon)
    return TimeScale(unit, step["length"] / SECONDS[unit], step["length"])


def windows(scale: TimeScale, given: Any, horizon: int) -> list[Window]:
    """The windows to give the probability of a failure for; given: a time, a list of them, or None for usual ones.

    A failure lies within a window where it comes earlier than that after the row: P(tau < n), n the steps that begin
    before the window ends. Raises ConfigError for a time that is no time, shorter than a step or beyond the horizon.
    """
    if given is None:
        return _usual(scale, horizon)
    found: list[Window] = []
    for value in given if isinstance(given, list) else [given]:
        steps = scale.steps("within", value)
        if steps < 1 - 1e-9:
            raise ConfigError(f"within={value}: that is less than a {scale.step_text()}, the least that is forecast")
        if steps > horizon + 1e-9:
            raise ConfigError(
                f"within={value}: the model looks {scale.text(horizon)} ahead (horizon={horizon}) and no further"
            )
        found.append(_window(scale, _label(value), steps))
    return found


def _usual(scale: TimeScale, horizon: int) -> list[Window]:
    if scale.seconds is not None:
        candidates = [(name, _seconds(name) / scale.seconds) for name in _USUAL]
    else:
        numbers = (m * 10.0**e for e in range(-3, 9) for m in (1, 2, 5))
        candidates = [(f"{number:g}", number / scale.length) for number in numbers]
    inside = [(name, steps) for name, steps in candidates if 1 - 1e-9 <= steps <= horizon + 1e-9]
    return [_window(scale, name, steps) for name, steps in inside[-_NUM_WINDOWS:]]


def _window(scale: TimeScale, label: str, steps: float) -> Window:
    return Window(label, scale.text(steps), math.ceil(steps - 1e-9))


def _seconds(duration: str) -> float:
    """Of 7d, 12h and the like. Raises ValueError or TypeError where it is none."""
    # To pandas, d is on its way out and D stays.
    return float(pd.Timedelta(re.sub(r"(?<=[\d\s])d\b", "D", duration)).total_seconds())


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else "".join(str(value).split())

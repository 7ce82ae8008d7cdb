"""The unit of time of each data set: what a run tells in steps is told in hours, days, or the data's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddrsa.analysis.metrics import OF_SUBSET, TIMES, VALIDATION
from ddrsa.analysis.read_run import Run
from ddrsa.time_units import CYCLES, DATES, SECONDS, unit_of_horizon


@dataclass(frozen=True)
class TimeUnit:
    """unit: in the plural. length: of a step, in that unit."""

    unit: str = CYCLES
    length: float = 1.0

    def told(self, name: str, value: float) -> float:
        """The value of the metric `name`, which a run has in steps, in this unit where it is a time."""
        return value * self.length if name.removeprefix(VALIDATION).partition(OF_SUBSET)[0] in TIMES else value


def tell_times(runs: Sequence[Run]) -> dict[str, TimeUnit]:
    """Change the times among the metrics of the runs from steps to the unit of their data set; return these units.

    Runs of one data set are told in one unit, and where one of them does not say how long its step is, in steps.
    """
    units: dict[str, TimeUnit] = {}
    for name in dict.fromkeys(str(run.status["dataset"]) for run in runs):
        own = [run for run in runs if run.status["dataset"] == name]
        unit = _unit([run for run in own if run.comparison])
        units[name] = unit
        for run in own if unit.length != 1 else ():
            run.metrics = {key: unit.told(key, value) for key, value in run.metrics.items()}
    return units


def _unit(runs: Sequence[Run]) -> TimeUnit:
    steps = [_step(run.time_step) for run in runs]
    if not runs or None in steps or len(set(steps)) > 1:
        said = {str(run.comparison.get("time_unit", CYCLES)) for run in runs}
        return TimeUnit(said.pop() if len(said) == 1 else "steps" if said else CYCLES)
    assert steps[0] is not None
    length, unit = steps[0]
    if unit != DATES:
        return TimeUnit(unit, length)
    horizon = max((run.comparison.get("horizon") or 1 for run in runs), default=1)
    unit = unit_of_horizon(length * horizon)
    return TimeUnit(unit, length / SECONDS[unit])


def _step(recorded: dict[str, Any]) -> tuple[float, str] | None:
    length, unit = recorded.get("length"), recorded.get("unit")
    return (float(length), unit) if isinstance(length, int | float) and isinstance(unit, str) else None

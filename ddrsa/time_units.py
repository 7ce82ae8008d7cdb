"""Units of time, and which of them a step is told in."""

from __future__ import annotations

CYCLES = "cycles"
SECONDS = {"days": 86_400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
DATES = "seconds of dates"
"""The unit of the steps of rows that have dates, in the record of a run."""

# A horizon of so many of a unit is told in it, so that one digit behind the point is enough.
_ENOUGH = 3


def unit_of_horizon(seconds: float) -> str:
    """The largest unit of which a horizon of so many seconds has a few."""
    return next((name for name, size in SECONDS.items() if seconds >= _ENOUGH * size), "seconds")


def unit_of_column(name: str, step: float) -> str:
    """What numbers of a column without dates are counted in: cycles, hours and their like by its name."""
    plural = name.lower() if name.endswith("s") else f"{name.lower()}s"
    if plural in SECONDS or (plural == CYCLES and step == 1):
        return plural
    return f"units of {name}"


def counted(value: float, unit: str) -> str:
    """A number of units: 18 hours, 1 day, 12 units of time."""
    number = f"{value:.3g}"
    one = number == "1" and unit in (*SECONDS, CYCLES)
    return f"{number} {unit[:-1] if one else unit}"

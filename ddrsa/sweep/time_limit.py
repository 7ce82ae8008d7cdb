"""Time limits of a whole sweep: until a time of day (`deadline`), or for so long (`budget`).

A deadline is what the clock on the wall shows: where that is set anew, the deadline moves with it. A budget is counted
by a monotonic clock, from the start of the command on; time in which the machine sleeps is not counted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ddrsa.errors import ConfigError

_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})")
_PARTS = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|m|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0}

_DEADLINES = "a time of day such as 18:00 or 07:30, or a date with a time such as 2026-11-30T18:00"
_BUDGETS = "a duration such as 6h, 90min or 1h30min"


@dataclass(frozen=True)
class TimeLimit:
    """When a sweep shall have ended. text: in words. left: seconds until then, negative after it."""

    text: str
    left: Callable[[], float]


def time_limit(deadline: object, budget: object, where: str = "hydra.launcher.") -> TimeLimit | None:
    """The limit by the two options; of both the one that comes first. None where neither is given.

    A time of day is the next one: that of tomorrow where today's is over. Where the clocks are set back it is the first
    that is still to come; where they are set forward and it is left out, it is as many minutes after the change.

    where: stands before the names of the keys in an error. Raises ConfigError.
    """
    limits = [
        *([] if deadline is None else [_deadline(deadline, f"{where}deadline={deadline}")]),
        *([] if budget is None else [_budget(budget, f"{where}budget={budget}")]),
    ]
    return min(limits, key=lambda limit: limit.left(), default=None)


def _deadline(value: object, given: str) -> TimeLimit:
    text = str(value).strip()
    if text.isdigit():
        raise ConfigError(
            f"{given}: allowed is {_DEADLINES}; in a YAML file it stands in quotes, '18:00', or it is read as 1080"
        )
    now = time.time()
    if (match := _TIME_OF_DAY.fullmatch(text)) is not None:
        hour, minute = int(match[1]), int(match[2])
        if hour > 23 or minute > 59:
            raise ConfigError(f"{given}: there is no such time of day; allowed is {_DEADLINES}")
        moment = _next(hour, minute, now)
    else:
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise ConfigError(f"{given}: allowed is {_DEADLINES}") from error
        if not re.search(r"\d[T ]\d", text):
            raise ConfigError(f"{given}: it has no time; allowed is {_DEADLINES}")
        moment = found.timestamp()
        if moment <= now:
            raise ConfigError(f"{given}: that is over, it is {_shown(now)}; allowed is a time to come")
    return TimeLimit(f"the deadline {_shown(moment)}", lambda: moment - time.time())


def _next(hour: int, minute: int, now: float) -> float:
    """The next moment when the clock on the wall shows this."""
    today = datetime.fromtimestamp(now).date()
    days = (today + timedelta(days=ahead) for ahead in range(3))
    return min(moment for day in days for moment in _moments(day, hour, minute) if moment > now)


def _moments(day: date, hour: int, minute: int) -> set[float]:
    both = [datetime(day.year, day.month, day.day, hour, minute, fold=fold).timestamp() for fold in (0, 1)]
    shown = [datetime.fromtimestamp(moment) for moment in both]
    real = {moment for moment, at in zip(both, shown, strict=True) if (at.hour, at.minute) == (hour, minute)}
    return real or {both[0]}  # left out by the change of clocks


def _budget(value: object, given: str) -> TimeLimit:
    text = str(value).strip()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise ConfigError(f"{given}: the unit is missing; allowed is {_BUDGETS}")
    parts = _PARTS.findall(text)
    if not parts or re.sub(r"\s", "", text) != "".join(number + unit for number, unit in parts):
        raise ConfigError(f"{given}: allowed is {_BUDGETS}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ConfigError(f"{given}: allowed is more than nothing, {_BUDGETS}")
    end = time.monotonic() + seconds
    return TimeLimit(
        f"the end of the budget of {text} at {_shown(time.time() + seconds)}", lambda: end - time.monotonic()
    )


def _shown(moment: float) -> str:
    """With the day where that is not today's, and with the offset of the zone."""
    at = datetime.fromtimestamp(moment).astimezone()
    day = "" if at.date() == datetime.fromtimestamp(time.time()).date() else f"{at:%a %d %b} "
    return f"{day}{at:%H:%M} {at:%Z}".strip()

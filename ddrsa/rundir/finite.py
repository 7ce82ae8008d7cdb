"""Numbers that a float can hold."""

from __future__ import annotations

import math
import sys


def finite(value: float) -> float:
    """`value` where a float can hold it, else NaN: of infinities, and of whole numbers that are too large for one."""
    return value if abs(value) <= sys.float_info.max else math.nan

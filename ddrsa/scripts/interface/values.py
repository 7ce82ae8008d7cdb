"""Values as words of a command line."""

from __future__ import annotations

from typing import Any


def as_text(value: Any) -> str:
    """A value as a program gets it that is no Python: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)

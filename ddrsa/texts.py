"""Texts from runs for screens and spreadsheets: data, which neither a terminal nor a spreadsheet executes."""

from __future__ import annotations

import logging
import re
import sys
import unicodedata
from functools import lru_cache
from typing import Any, TextIO

# Control characters but for the end of a line, and those that turn the direction of what follows.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# Spreadsheets take such a cell for a formula, also behind spaces.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(inf|nan)\s*")


def printable(text: Any) -> str:
    r"""`text` with its control characters spelled out: an escape sequence is \x1b[31m, and colours nothing."""
    return _CONTROLS.sub(_spelled, str(text))


def say(text: Any = "", *, to: TextIO | None = None) -> None:
    """Print a line as `printable`: for whatever names a file, a unit or a value that somebody else may have written."""
    print(printable(text), file=to, flush=True)


def say_error(error: BaseException) -> None:
    """Print an error in one line to stderr."""
    say(f"error: {' '.join(str(error).split())}", to=sys.stderr)


def plain_logs() -> None:
    """Let all that this process logs be `printable`: for commands that look at what others have written."""
    logging.setLogRecordFactory(_PrintableRecord)


class _PrintableRecord(logging.LogRecord):
    def getMessage(self) -> str:  # noqa: N802 - logging's name
        return printable(super().getMessage())


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def as_cell(value: Any) -> Any:
    """A value for a CSV file: a text that a spreadsheet would take for a formula has an apostrophe before it."""
    return _text_as_cell(value) if isinstance(value, str) else value


@lru_cache(maxsize=1000)  # in most columns few texts stand many times
def _text_as_cell(value: str) -> str:
    if _NUMBER.fullmatch(value):
        return value
    # Most cells are printable, which Python tells faster than their characters can be looked at.
    controls = not value.isprintable() and any(unicodedata.category(each) == "Cc" for each in value if each != "\n")
    text = printable(value) if controls else value
    return f"'{text}" if _FORMULA.match(value) else text


def count_of(number: Any, one: str, several: str | None = None) -> str:
    """A number and what it counts: `1 run`, `2 runs`. several: `runs have` for `run has`; None: `one` with an s."""
    shown = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{shown} {one if number == 1 else several or f'{one}s'}"

"""Numbers in what a script printed: `name: value`, `name=value` and `name value`, the last of each name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ddrsa.rundir.finite import finite

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)"
# "Test set: Average loss: 0.3, Accuracy: 98/100 (98%)" has the name "Average loss"; 98/100 is not one number.
# A mapping that is printed has its names in quotes: {'eval_loss': 0.3}.
_PAIR = re.compile(rf"([A-Za-z_][\w ./@()%-]*?)['\"]?(?:\s*[:=]\s*|\s+)({_NUMBER})(?![\w./])", re.IGNORECASE)

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def read_log_numbers(text: str, patterns: Sequence[str]) -> dict[str, float]:
    """The last value of each name that matches one of `patterns`, shell patterns in which case does not count."""
    found: dict[str, float] = {}
    for line in _COLOUR.sub("", text).splitlines():
        for words, value in _PAIR.findall(line):
            name = next((each for each in _names(words) if any(is_called(each, one) for one in patterns)), None)
            if name is not None:
                found[name] = finite(float(value))
    return found


def is_called(name: str, pattern: str) -> bool:
    """Whether a pattern of `read_log_numbers` is for numbers of this name."""
    return fnmatchcase(name.lower(), pattern.lower())


def _names(text: str) -> Iterator[str]:
    """The words in front of a value, and then fewer: of "epoch 3 val loss" "val loss", "loss"."""
    words = text.split()
    while words:
        if not any(_is_number(word) for word in words):
            yield " ".join(words)
        words = words[1:]


def _is_number(word: str) -> bool:
    return word.strip("()%,").replace("/", "").isdigit()

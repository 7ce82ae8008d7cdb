"""Numbers in what a script printed: `name: value`, `name=value` and `name value`, the last of each name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ddrsa.rundir.finite import finite

# Of the first kind it is known what is meant: 0.25, 1e-3, 1,234.5. In the second the comma, or the thin space, divides
# thousands or stands for the point: 1,234 and 0,25.
_NUMBER = r"""
    (?P<number> [-+]? (?: \d{1,3}(?:,\d{3})+\.\d+ | \d{1,3}(?:,\d{3}){2,} | \d+\.?\d* | \.\d+ ) (?:e[-+]?\d+)?
              | [-+]? (?: nan | inf(?:inity)? ) ) (?! [\w/] | [.,\xa0\u202f]\d )
  | (?P<unclear> [-+]? \d[\d.]* (?: [,\xa0\u202f]\d[\d.]* )+ ) (?! [\w/] )
"""
# "Test set: Average loss: 0.3, Accuracy: 98/100 (98%)" has the name "Average loss"; 98/100 is not one number.
# A mapping that is printed has its names in quotes: {'eval_loss': 0.3}. PyTorch and NumPy print tensor(0.3).
# Names begin where words do, and end: the time for a line of a mebibyte has bounds.
_PAIR = re.compile(
    rf"""(?P<words> (?<![^\W\d])[^\W\d][\w\ ./@()%-]{{0,100}}? ) ['"]? (?: \s*[:=]\s* | \s+ )
    (?: (?:tensor|(?:np\.)?float\d*)\( )?
    (?: {_NUMBER} )""",
    re.IGNORECASE | re.VERBOSE,
)

# Sequences that colour a text, or move the cursor.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def read_log_numbers(text: str, patterns: Sequence[str]) -> dict[str, float]:
    """The last value of each name that matches one of `patterns`, shell patterns in which case does not count.

    None of a name whose last value may be read in two ways.
    """
    found: dict[str, float] = {}
    for line in _CONTROL.sub("", text).splitlines():
        for pair in _PAIR.finditer(line):
            name = next((each for each in _names(pair["words"]) if any(is_called(each, one) for one in patterns)), None)
            if name is None:
                continue
            if pair["number"] is None:
                found.pop(name, None)  # an earlier value would be taken for the last one
            else:
                found[name] = finite(float(pair["number"].replace(",", "")))
    return found


def is_called(name: str, pattern: str) -> bool:
    """Whether a pattern of `read_log_numbers` is for numbers of this name."""
    return fnmatchcase(name.lower(), pattern.lower())


def _names(text: str) -> Iterator[str]:
    """The words in front of a value, and then fewer: of "epoch 3 val loss" "val loss", "loss"."""
    words = text.split()
    while words:
        if any(map(str.isalnum, words[0])) and not any(_is_number(word) for word in words):
            yield " ".join(words)
        words = words[1:]


def _is_number(word: str) -> bool:
    return word.strip("()%,").replace("/", "").isdigit()

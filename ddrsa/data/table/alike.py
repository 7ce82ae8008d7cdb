"""Names that look alike and are not the same."""

from __future__ import annotations

import logging
import re
import unicodedata

import pandas as pd

from ddrsa.data.table.events import listed

log = logging.getLogger(__name__)


def warn_of_alike(names: pd.Series, what: str) -> None:
    """Warn of texts that differ in what is easily overlooked. what: they are, in words."""
    alike = pd.Series(names.dropna().unique(), dtype=object)
    same = alike[alike.map(_simplified).duplicated(keep=False)]
    if len(same):
        # Where only what cannot be seen differs, it is written in full.
        seen = same.map(lambda name: " ".join(unicodedata.normalize("NFKC", name).split())).duplicated(keep=False)
        shown = [ascii(name) if hidden else name for name, hidden in zip(same, seen, strict=True)]
        log.warning("these are %s, though they look alike: %s", what, listed(shown))


def _simplified(name: str) -> str:
    """What is left of a name without case, leading zeros, a fraction of 0, and what cannot be seen."""
    name = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    name = " ".join(name.casefold().split())
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"^\+?(\d+)\.0+$", r"\1", name))

"""Numbers in the JSON files of a script."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from ddrsa.scripts.results.numbers import Numbers, numbers_of


def read_json_numbers(path: Path) -> Numbers:
    """The numbers of a JSON object; none of another value. Raises OSError and ValueError."""
    content = json.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    return numbers_of(content) if isinstance(content, dict) else Numbers()

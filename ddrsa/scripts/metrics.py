"""Metrics of a script: the numbers that it left as JSON in its output directory."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# These say what a script was told, not what came of it.
NOT_RESULTS = (
    *("config*.json", "*_config.json", "args.json", "arguments.json", "*params.json", "*parameters.json"),
    *("tokenizer*.json", "vocab*.json", "package*.json", "*index.json", "trainer_state.json"),
)
MOST_BYTES = 4 * 2**20


def collect_metrics(directory: Path, patterns: Sequence[str]) -> dict[str, float]:
    """Every number in the JSON files beneath `directory` whose names match one of `patterns`.

    Nested names are joined by dots; lists are left out, and so are true and false. Where two files have one name, that
    of the file stands in front of both. Files that say how a script was configured, that are not JSON, or that are
    larger than 4 MiB are left out.
    """
    by_file: dict[str, dict[str, float]] = {}
    for path in sorted(directory.rglob("*.json")):
        relative = path.relative_to(directory)
        if any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if not _matches(relative, patterns) or _matches(relative, NOT_RESULTS):
            continue
        content = _read(path)
        if isinstance(content, dict):
            by_file[relative.with_suffix("").as_posix().replace("/", ".")] = dict(_numbers(content, ""))
    names = [name for numbers in by_file.values() for name in numbers]
    return {
        (name if names.count(name) == 1 else f"{file}.{name}"): number
        for file, numbers in by_file.items()
        for name, number in numbers.items()
    }


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            log.warning("%s is larger than %d MiB: its numbers are left out", path, MOST_BYTES // 2**20)
            return None
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        log.warning("%s is not used for the metrics: %s", path, error)
        return None


def _numbers(content: dict[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _numbers(value, f"{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            # A whole number may be too large for a float, and none that is not finite can be written.
            yield name, value if abs(value) < 1e300 else math.nan


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path.as_posix() if "/" in pattern else path.name, pattern) for pattern in patterns)

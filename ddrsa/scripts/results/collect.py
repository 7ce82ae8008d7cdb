"""Metrics of a script: the numbers that it left in its output directory and in its log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ddrsa.extras import missing_extra
from ddrsa.scripts.results.csv_files import read_csv_numbers
from ddrsa.scripts.results.event_files import read_event_numbers
from ddrsa.scripts.results.json_files import read_json_numbers
from ddrsa.scripts.results.numbers import Numbers

log = logging.getLogger(__name__)

# These say what a script was told, not what came of it.
NOT_RESULTS = (
    *("config*.json", "*_config.json", "args.json", "arguments.json", "*params.json", "*parameters.json"),
    *("tokenizer*.json", "vocab*.json", "package*.json", "*index.json", "trainer_state.json"),
)
MOST_BYTES = 4 * 2**20
_EVENTS = "events.out.tfevents."


def collect_metrics(directory: Path, patterns: Sequence[str]) -> Numbers:
    """The numbers in the files beneath `directory` whose names match one of `patterns`.

    Of JSON files every number, of CSV files the last of each column, of TensorBoard's event files the last of each tag.
    Where two files have one name, that of the file stands in front of both. Files that say how a script was configured,
    that cannot be read, or that are larger than 4 MiB are left out; of the last two the log tells.
    """
    by_file: dict[str, Numbers] = {}
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        reader = _reader_of(path)
        if reader is None or any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if not _matches(relative, patterns) or _matches(relative, NOT_RESULTS):
            continue
        found = _read(path, reader)
        if found is not None:
            numbers = by_file.setdefault(_name(relative), Numbers())
            numbers.results |= found.results
            numbers.configuration |= found.configuration
    results = [name for numbers in by_file.values() for name in numbers.results]
    together = Numbers()
    for file, numbers in by_file.items():
        for name, number in numbers.results.items():
            together.results[name if results.count(name) == 1 else f"{file}.{name}"] = number
        together.configuration |= numbers.configuration
    return together


def _reader_of(path: Path) -> Callable[[Path], Numbers] | None:
    if path.name.startswith(_EVENTS):
        return read_event_numbers
    return {".json": read_json_numbers, ".csv": read_csv_numbers}.get(path.suffix.lower())


def _name(relative: Path) -> str:
    named = relative.parent / "events" if relative.name.startswith(_EVENTS) else relative.with_suffix("")
    return named.as_posix().replace("/", ".")


def _read(path: Path, reader: Callable[[Path], Numbers]) -> Numbers | None:
    try:
        if reader is not read_event_numbers and path.stat().st_size > MOST_BYTES:
            log.warning("%s is larger than %d MiB: its numbers are left out", path, MOST_BYTES // 2**20)
            return None
        return reader(path)
    except ModuleNotFoundError as error:
        log.warning("%s is not used for the metrics: %s", path, missing_extra("reading it", error) or error)
    except (OSError, ValueError) as error:
        log.warning("%s is not used for the metrics: %s", path, error)
    return None


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path.as_posix() if "/" in pattern else path.name, pattern) for pattern in patterns)

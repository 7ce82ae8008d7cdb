"""Write a simulated fleet as text: python -m ddrsa.data.simulate OUT_DIR num_units=100 num_conditions=6 ..."""

from __future__ import annotations

import sys

from ddrsa.extras import run_module
from ddrsa.texts import count_of, say, say_error

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.data.simulate", "models"))  # before the imports that need the extra

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from ddrsa.data.cmapss.simulated import TABLE_FILE, simulate_fleet, write_fleet
from ddrsa.data.options import DatasetOptions, SimulatedOptions, check_dataset_options
from ddrsa.errors import ConfigError, UsageError
from ddrsa.started import subcommand

SPLIT_KEYS = {option.name for option in fields(DatasetOptions)}
KEYS = [option.name for option in fields(SimulatedOptions) if option.name not in SPLIT_KEYS]


def main(arguments: Sequence[str]) -> int:
    """Simulate and write; return the exit code, 2 for what the user can mend."""
    if not arguments or arguments[0].startswith("-"):
        say(f"usage: {subcommand('simulate')} OUT_DIR [KEY=VALUE ...]\nkeys: {', '.join(KEYS)}")
        return 0 if set(arguments) & {"-h", "--help"} else 2
    directory = Path(arguments[0])
    try:
        options = check_dataset_options({"name": "simulated", **dict(map(_parse, arguments[1:]))})
        assert isinstance(options, SimulatedOptions)
        fleet = simulate_fleet(options)
        write_fleet(directory, fleet)
    except (UsageError, OSError) as error:
        say_error(error)
        return 2
    say(f"{directory / TABLE_FILE}: {count_of(options.num_units, 'unit')}, {count_of(len(fleet.table), 'cycle')}")
    return 0


def _parse(argument: str) -> tuple[str, object]:
    key, separator, value = argument.partition("=")
    if not separator or key not in KEYS:
        raise ConfigError(f"argument {argument!r} is not KEY=VALUE with a key of {', '.join(KEYS)}")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{key} is {value!r}, a number is expected") from error

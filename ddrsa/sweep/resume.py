"""Resuming a sweep: `resume=DIR` is its command once more, with the options and overrides of its start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import yaml

from ddrsa.errors import UsageError
from ddrsa.overrides import override_parts, quoted
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST
from ddrsa.started import config_options, hydras_options, sweep_options


def resumable(hydra_main: Callable[[], None]) -> Callable[[], None]:
    """The function decorated with `hydra.main`, which now understands `resume=DIR` on the command line.

    The result raises UsageError where DIR is not the directory of a sweep.
    """

    def main() -> None:
        sys.argv[1:] = resumed_arguments(sys.argv[1:])
        hydra_main()

    return main


def resumed_arguments(arguments: Sequence[str]) -> list[str]:
    """`arguments` with `resume=DIR` replaced by what the sweep in DIR was started with.

    Those are its overrides, and Hydra's options that say where its config is. What else stands there comes on top:
    another value of a key takes the place of the sweep's own.
    Raises UsageError where DIR is not the directory of a sweep.
    """
    given = [argument for argument in arguments if argument.startswith("resume=")]
    if not given:
        return list(arguments)
    if len(given) > 1:
        raise UsageError(f"{' '.join(given)}: one sweep is resumed at a time")
    directory = Path(given[0].removeprefix("resume="))
    overrides = _overrides_of(directory)
    others = [argument for argument in arguments if argument not in (given[0], "-m", "--multirun")]
    ours = f"hydra.sweep.dir={quoted(str(directory))}"
    replaced = {override_parts(argument)[0] for argument in others} | {"hydra.sweep.dir", "hydra.mode"}
    given_options = config_options(others)
    where = [f"{option}={value}" for option, value in _options_of(directory, given_options)]
    return [*where, "-m", *(text for text in overrides if override_parts(text)[0] not in replaced), ours, *others]


def _options_of(directory: Path, given: Container[str]) -> list[tuple[str, str]]:
    """The sweep's options that say where its config is, but those `given`."""
    try:
        if (directory / MANIFEST).exists():
            return [option for option in sweep_options(directory).items() if option[0] not in given]
    except UsageError as error:
        # The sweep can be done without, and its manifest is written anew.
        print(f"warning: {error}", file=sys.stderr)
    options = [option for option in hydras_options(directory).items() if option[0] not in given]
    for name, value in options:
        print(f"{name}={value}, as {directory / CONFIG} says", file=sys.stderr)
    return options


def _overrides_of(directory: Path) -> list[str]:
    file = directory / CONFIG
    try:
        overrides = yaml.safe_load(file.read_text())["hydra"]["overrides"]
        return [*overrides["hydra"], *overrides["task"]]
    except OSError as error:
        raise UsageError(f"resume={directory}: the directory of a sweep is expected, with its multirun.yaml") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise UsageError(f"resume={directory}: {file} does not say what the sweep was started with") from error

"""Resuming a sweep: `resume=DIR` is its command once more, with the options and overrides of its start."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import yaml

from ddrsa.errors import UsageError
from ddrsa.overrides import override_parts, quoted
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST
from ddrsa.started import config_options, hydras_options, sweep_options, sweep_program, sweep_working_dir
from ddrsa.sweep.config import PLUGINS


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


def resume(directory: str, others: Sequence[str]) -> int:
    """Do the command of the sweep in `directory` once more, of whatever Hydra app it is, with `others` on top.

    It is done where the sweep was started, by this interpreter. Returns its exit code. Raises UsageError where
    `directory` is not that of a sweep, or its launcher would do again what has completed.
    """
    place = Path(directory).absolute()
    _overrides_of(place)  # there is a sweep
    _require_own_launcher(place, others)
    program = sweep_program(place)
    words = [sys.executable, *program[1:]] if program[0] == "python" else program
    working_dir = sweep_working_dir(place)
    if not working_dir.is_dir():
        raise UsageError(f"resume {directory}: it was started in {working_dir}, which is gone")
    os.chdir(working_dir)
    arguments = [_from_here(argument) for argument in resumed_arguments([f"resume={place}", *others])]
    command = [*words, *arguments]
    print(shlex.join([*program, *command[len(words) :]]), flush=True)
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the terminal has sent it to the sweep as well, which ends in its own way


def _from_here(argument: str) -> str:
    """A relative `--config-path` as one of the working directory: an app of Hydra's takes it from its own."""
    option, equals, value = argument.partition("=")
    return f"{option}={Path(value).absolute()}" if option == "--config-path" and equals else argument


def _require_own_launcher(place: Path, overrides: Sequence[str]) -> None:
    """Raise UsageError where a launcher of Hydra's would do all runs again, over what is there."""
    try:
        target = str(yaml.safe_load((place / CONFIG).read_text())["hydra"]["launcher"]["_target_"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return
    chosen = any(override_parts(text)[0] == "hydra/launcher" for text in overrides)
    if not target.startswith(PLUGINS) and not chosen:
        raise UsageError(
            f"{place} is a sweep of {target.rpartition('.')[2]}, which does each run again, also those that have "
            "completed; hydra/launcher=supervised goes on, with the runs that it has not done itself"
        )


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

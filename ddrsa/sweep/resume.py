"""Resuming a sweep: `resume=DIR` is its command once more, with the options and overrides of its start."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Container, Sequence
from pathlib import Path

from ddrsa.errors import UsageError
from ddrsa.overrides import override_parts, quoted
from ddrsa.plain_overrides import why_not_plain
from ddrsa.rundir.structure import Fields, ListOf, check_structure
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.started import config_options, hydras_options, sweep_options, sweep_program, sweep_working_dir
from ddrsa.sweep.config import PLUGINS
from ddrsa.texts import say

_CONFIG = Fields({"hydra!": Fields({"overrides!": Fields({"hydra!": ListOf(str), "task!": ListOf(str)})})})


def resumable(hydra_main: Callable[[], None], programs: Sequence[str] = ()) -> Callable[[], None]:
    """The function decorated with `hydra.main`, which now understands `resume=DIR` on the command line.

    programs: see `resumed_arguments`. The result raises UsageError as that does.
    """

    def main() -> None:
        sys.argv[1:] = resumed_arguments(sys.argv[1:], programs)
        hydra_main()

    return main


def resumed_arguments(arguments: Sequence[str], programs: Sequence[str] = (), *, trusted: bool = False) -> list[str]:
    """`arguments` with `resume=DIR` replaced by what the sweep in DIR was started with.

    Those are its overrides. What else stands there comes on top: another value of a key takes the place of the sweep's
    own. The directory may be somebody else's: only plain values are taken from it, see `ddrsa.plain_overrides`.

    programs: dotted keys of the project that say what it executes; they are not taken from the directory either.
    trusted: everything is taken from it.

    Raises UsageError where DIR is not the directory of a sweep, and, with the command that gives them again, where the
    sweep was started with what is not taken from a directory.
    """
    given = [argument for argument in arguments if argument.startswith("resume=")]
    if not given:
        return list(arguments)
    if len(given) > 1:
        raise UsageError(f"{' '.join(given)}: one sweep is resumed at a time")
    directory = Path(given[0].removeprefix("resume="))
    others = [argument for argument in arguments if argument not in (given[0], "-m", "--multirun")]
    ours = f"hydra.sweep.dir={quoted(str(directory))}"
    replaced = {override_parts(argument)[0] for argument in others} | {"hydra.sweep.dir", "hydra.mode"}
    overrides = [text for text in _overrides_of(directory) if override_parts(text)[0] not in replaced]
    given_options = config_options(others)
    refused = {text: why for text in overrides if (why := why_not_plain(text, programs)) is not None}
    where = [f"{option}={value}" for option, value in _options_of(directory, given_options)]
    # A file of the project's own config, by its name.
    names = [each for each in where if re.fullmatch(r"--config-name=[\w-]+", each)]
    refused |= {each: "configs may name what is executed" for each in where if each not in names}
    if trusted:
        return [*where, "-m", *overrides, ours, *others]
    if refused:
        shown = ", ".join(f"{text} ({why})" for text, why in refused.items())
        again = shlex.join([given[0], *others, *refused])
        raise UsageError(
            f"resume={directory}: not taken from a directory that others may have written: {shown}. If you trust it, "
            f"give it again: {again}"
        )
    return [*names, "-m", *overrides, ours, *others]


def resume(directory: str, others: Sequence[str], *, trusted: bool = False) -> int:
    """Do the command of the sweep in `directory` once more, of whatever Hydra app it is, with `others` on top.

    It is done where the sweep was started, by this interpreter. Returns its exit code. Raises UsageError where
    `directory` is not that of a sweep, or its launcher would do again what has completed; and unless `trusted`, because
    what the directory says is executed.
    """
    place = Path(directory).absolute()
    _overrides_of(place)  # there is a sweep
    _require_own_launcher(place, others)
    program = sweep_program(place)
    words = [sys.executable, *program[1:]] if program[0] == "python" else program
    working_dir = sweep_working_dir(place)
    if not trusted:
        again = ["python", "-m", "ddrsa.sweep", "resume", "--trust", directory, *others]
        raise UsageError(
            f"resume {directory}: the directory says that it was started by {shlex.join(program)} in {working_dir}, "
            f"and whoever can write it can say so. If you trust it, that is run by: {shlex.join(again)}"
        )
    if not working_dir.is_dir():
        raise UsageError(f"resume {directory}: it was started in {working_dir}, which is gone")
    os.chdir(working_dir)
    arguments = [_from_here(argument) for argument in resumed_arguments([f"resume={place}", *others], trusted=True)]
    command = [*words, *arguments]
    say(shlex.join([*program, *command[len(words) :]]))
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
        target = str(read_yaml(place / CONFIG)["hydra"]["launcher"]["_target_"])
    except (OSError, ValueError, KeyError, TypeError):
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
        say(f"warning: {error}", to=sys.stderr)
    options = [option for option in hydras_options(directory).items() if option[0] not in given]
    for name, value in options:
        say(f"{name}={value}, as {directory / CONFIG} says", to=sys.stderr)
    return options


def _overrides_of(directory: Path) -> list[str]:
    file = directory / CONFIG
    try:
        content = read_yaml(file)
        check_structure(content, _CONFIG, file)
    except FileNotFoundError as error:
        raise UsageError(f"resume={directory}: the directory of a sweep is expected, with its multirun.yaml") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"resume={directory}: it cannot be seen what the sweep was started with: {error}") from error
    overrides = content["hydra"]["overrides"]
    return [*overrides["hydra"], *overrides["task"]]

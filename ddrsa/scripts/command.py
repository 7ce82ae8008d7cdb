"""Command lines of jobs, and the identity of their runs."""

from __future__ import annotations

import difflib
import functools
import os
import re
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text
from ddrsa.scripts.interface.read import ScriptInterface, read_interface
from ddrsa.scripts.interface.source import FLAG, REPEATED, VALUES, Option
from ddrsa.scripts.jobs import Job, find_job, find_jobs
from ddrsa.scripts.options import ScriptsOptions, as_text, scripts_options
from ddrsa.scripts.spelling import SHARED, find_option, known_as, normalised, output_option
from ddrsa.sweep.plan.planned_run import PlannedRun

# Beneath the run's directory, where the script's results go.
OUTPUT = "output"


@dataclass(frozen=True)
class Command:
    """The command line of a job.

    interpreter: in front of the script; () where the script is a program of its own.
    arguments: all but the output directory, which is `output` (its option, the directory): () where it has none.
    output_dir: absolute, where the script's results are looked for.
    extra: behind all others.
    """

    job: Job
    interpreter: tuple[str, ...]
    arguments: tuple[str, ...]
    output: tuple[str, ...]
    extra: tuple[str, ...]
    output_dir: Path

    @property
    def line(self) -> tuple[str, ...]:
        """The command that is executed."""
        script = str(self.job.path.absolute())
        return (*self.interpreter, script, *self.arguments, *self.output, *self.extra)

    def __str__(self) -> str:
        return shlex.join(self.line)


def interface_of_job(job: Job) -> ScriptInterface:
    """Raises ConfigError where the script cannot be read."""
    try:
        return read_interface(job.path)
    except OSError as error:
        raise ConfigError(f"scripts.job={job.id}: its script cannot be read: {error}") from error


def command_of(options: ScriptsOptions, run_directory: Path) -> Command:
    """The command of the job `scripts.job`. Raises ConfigError as `arguments_of`."""
    job = find_job(options)
    arguments = arguments_of(job, options)
    option = output_option(interface_of_job(job).options)
    output_dir = run_directory / OUTPUT
    if options.output_dir is not None:
        output_dir = options.directory / options.output_dir / job.id / run_directory.name
    output: tuple[str, ...] = ()
    if option is not None:
        own = _given_value(option, [*arguments, *options.extra_args])
        if own is None:
            output = (option.spelling, str(output_dir))
        else:
            output_dir = options.directory / own
    return Command(job, _interpreter(job.path, options), arguments, output, options.extra_args, output_dir)


def arguments_of(job: Job, options: ScriptsOptions) -> tuple[str, ...]:
    """The arguments of the script, without the output directory and without `extra_args`.

    First the job's own arguments, then scripts.epochs and its like, then scripts.args: of two values the last counts.
    `scripts.epochs`, `folds` and `batch_size` reach a script only if it is seen to have such an option. `scripts.args`
    reach it if it has the option, or if its options cannot all be seen; then they are spelled as they are given here.

    Raises ConfigError where an argument of the file of jobs is none of the script's.
    """
    interface = interface_of_job(job)
    arguments = list(job.arguments)
    for name, value in job.named.items():
        added = _named_argument(name, value, interface)
        if added is None:
            known = ", ".join(option.spelling for option in interface.options) or "none"
            raise ConfigError(f"job {job.id}: args has {name}, and {job.path} has no such option; it has {known}")
        arguments += added
    for shared, names in SHARED.items():
        value = getattr(options, shared)
        option = find_option(interface.options, names)
        if value is not None and option is not None:
            arguments += _spelled(option, value)
    for name, value in options.args.items():
        arguments += _named_argument(name, value, interface) or []
    return tuple(arguments)


def check_job(options: ScriptsOptions) -> None:
    """Raise ConfigError where the job of a run cannot be started as `options` say."""
    job = find_job(options)
    arguments_of(job, options)
    _interpreter(job.path, options)
    _check_that_they_reach_a_script(options)


def identity(options: ScriptsOptions) -> dict[str, Any]:
    """The identity of a run: the job, its script, and the arguments, but not the output directory."""
    job = find_job(options)
    arguments = [*arguments_of(job, options), *options.extra_args]
    return {"job": job.id, "script": os.path.normpath(job.path), "arguments": arguments}


def run_name(options: ScriptsOptions) -> str:
    """The arguments in short, as the beginning of a directory's name: epochs=5_lr=0.1. `run` where there are none."""
    words: list[str] = []
    for argument in [*arguments_of(find_job(options), options), *options.extra_args]:
        if argument.startswith("-") and not _is_number(argument):
            words.append(argument.lstrip("-"))
        elif words:
            words[-1] += f"={argument}" if "=" not in words[-1] else f",{argument}"
        else:
            words.append(argument)
    return re.sub(r"[^\w.,=+-]+", "-", "_".join(words))[:60].strip("-_") or "run"


def describe(run: PlannedRun) -> str:
    """For the dry run: the command, as one would give it to a shell."""
    options = scripts_options(OmegaConf.create(run.config))
    assert options is not None
    return str(command_of(options, run.directory))


def script_ids(config: DictConfig) -> str:
    """All jobs of `config`, as a list of values for Hydra's command line."""
    options = scripts_options(config)
    if options is None:
        raise ConfigError("scripts is null: there are no jobs")
    return ",".join(override_text(job.id) for job in find_jobs(options))


def _interpreter(path: Path, options: ScriptsOptions) -> tuple[str, ...]:
    if path.suffix == ".py":
        return (options.python or sys.executable,)
    if not os.access(path, os.X_OK):
        raise ConfigError(f"{path} is neither a Python script nor a program that may be executed")
    return ()


def _named_argument(name: str, value: Any, interface: ScriptInterface) -> list[str] | None:
    """None where the script has no such option."""
    option = find_option(interface.options, [normalised(name)])
    if option is None and len(name) == 1:
        option = next((each for each in interface.options if f"-{name}" in each.names), None)
    if option is not None:
        return _spelled(option, value)
    if interface.complete:
        return None
    dashes = "-" if len(name) == 1 else "--"
    return _spelled(Option((f"{dashes}{name}",), FLAG if isinstance(value, bool) else VALUES), value)


def _spelled(option: Option, value: Any) -> list[str]:
    """An option with its value. null leaves it out; a flag is there or not."""
    if value is None:
        return []
    if option.takes == FLAG and isinstance(value, bool):
        if value:
            return [option.spelling]
        return list(option.off_names[:1])
    values = [as_text(each) for each in (value if isinstance(value, list) else [value])]
    if option.takes == REPEATED:
        return [word for each in values for word in (option.spelling, each)]
    return [option.spelling, *values]


def _given_value(option: Option, given: Iterable[str]) -> str | None:
    """The value that `given` sets an option to, if it does."""
    words = list(given)
    found = None
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in option.names:
            found = value if equals else next(iter(words[position + 1 : position + 2]), None)
    return found


def _check_that_they_reach_a_script(options: ScriptsOptions) -> None:
    """Raise ConfigError on an option that no script of the sweep accepts: it is mistyped, or nobody's."""
    accepted = _accepted_names(Path.cwd(), tuple(job.path for job in find_jobs(options)))
    for shared, names in SHARED.items():
        if getattr(options, shared) is not None and accepted is not None and not accepted.intersection(names):
            raise ConfigError(f"scripts.{shared}={getattr(options, shared)}: no script has an option for it")
    for name in options.args:
        if accepted is not None and normalised(name) not in accepted:
            near = difflib.get_close_matches(normalised(name), accepted, n=1)
            hint = f". Did you mean scripts.args.{near[0]}?" if near else ""
            raise ConfigError(f"scripts.args.{name}: no script has an option --{name}{hint}")


@functools.lru_cache(maxsize=8)
def _accepted_names(_current: Path, paths: tuple[Path, ...]) -> frozenset[str] | None:
    """The names of all options of all scripts; None where a script may have others."""
    interfaces = [read_interface(path) for path in paths]
    if not all(interface.complete for interface in interfaces):
        return None
    options = [option for interface in interfaces for option in interface.options]
    return frozenset(name for each in options for name in (known_as(each) | set(map(normalised, each.names))))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

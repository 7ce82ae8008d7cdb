"""Command lines of jobs, and the identity of their runs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text
from ddrsa.scripts.arguments import arguments_of, given_value, output_arguments
from ddrsa.scripts.job import Job
from ddrsa.scripts.jobs import find_job, find_jobs
from ddrsa.scripts.options import ARGUMENTS, OUTPUT_DIR, RUN_DIR, ScriptsOptions, scripts_options
from ddrsa.scripts.starting import command_template, environment_of

# Beneath the run's directory, where the script's results go.
OUTPUT = "output"


@dataclass(frozen=True)
class Command:
    """The command of a job.

    line: what is executed. output_dir: absolute, where the script's results are looked for.
    working_dir: absolute, where the script's relative paths begin. own_working_dir: whether the run works in a
        directory of its own that looks like it, below `output_dir`.
    environment: what the script's environment has of its own.
    results: the folder of the results of all runs, where it is not the sweep.
    """

    job: Job
    line: tuple[str, ...]
    output_dir: Path
    working_dir: Path
    own_working_dir: bool
    environment: Mapping[str, str]
    results: Path | None = None

    def __str__(self) -> str:
        return shlex.join(self.line)


def command_of(options: ScriptsOptions, run_directory: Path) -> Command:
    """The command of the job `scripts.job`. Raises ConfigError as `arguments_of`."""
    job = find_job(options)
    arguments = (*arguments_of(job, options), *options.extra_args)
    working_dir = job.working_dir or options.directory
    output_dir = run_directory / OUTPUT
    if options.output_dir is not None:
        output_dir = options.directory / options.output_dir / job.id / run_directory.name
    option, output = output_arguments(job, options, str(output_dir))
    own_value = None if option is None else given_value(option, arguments)
    template = command_template(job, options)
    names_a_place = _has_a_placeholder([*arguments, *job.environment.values()])
    if own_value is not None:
        output = ()
        output_dir = working_dir / _filled(own_value, run_directory, output_dir)
    position = template.index(ARGUMENTS)
    # Before `extra_args`, as they stand behind all others.
    given = (*arguments[: len(arguments) - len(options.extra_args)], *output, *options.extra_args)
    line = (*template[:position], *given, *template[position + 1 :])
    alone = options.own_working_dir
    return Command(
        job,
        tuple(_filled(word, run_directory, output_dir) for word in line),
        output_dir,
        working_dir,
        (option is None and not names_a_place) if alone is None else alone,
        {name: _filled(each, run_directory, output_dir) for name, each in environment_of(job, options).items()},
        None if options.output_dir is None else options.directory / options.output_dir,
    )


def identity(options: ScriptsOptions) -> dict[str, Any]:
    """The identity of a run: the job, its script, and the arguments, but not the output directory."""
    job = find_job(options)
    arguments = [*arguments_of(job, options), *options.extra_args]
    script = os.path.normpath(job.path) if job.module is None else f"-m {job.module}"
    return {"job": job.id, "script": script, "arguments": arguments}


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


def script_ids(config: DictConfig) -> str:
    """All jobs of `config`, as a list of values for Hydra's command line."""
    options = scripts_options(config)
    if options is None:
        raise ConfigError("scripts is null: there are no jobs")
    return ",".join(override_text(job.id) for job in find_jobs(options))


def _has_a_placeholder(words: Sequence[str]) -> bool:
    return any(placeholder in word for word in words for placeholder in (OUTPUT_DIR, RUN_DIR))


def _filled(text: str, run_directory: Path, output_dir: Path) -> str:
    return text.replace(OUTPUT_DIR, str(output_dir)).replace(RUN_DIR, str(run_directory))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

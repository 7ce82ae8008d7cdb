"""`scripts.list=true`: the jobs, and the options that each supports."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.scripts.arguments import interface_of_job, output_arguments, sets_by_itself, shared_options
from ddrsa.scripts.command import command_of
from ddrsa.scripts.interface.read import ScriptInterface
from ddrsa.scripts.interface.source import Option
from ddrsa.scripts.job import Job
from ddrsa.scripts.jobs import find_job, find_jobs
from ddrsa.scripts.options import ScriptsOptions, scripts_options
from ddrsa.scripts.spelling import SHARED, find_option, normalised
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.plan.selection import Selection
from ddrsa.texts import count_of

# Of those that an option does not reach.
SHOWN_JOBS = 10


def print_jobs(options: ScriptsOptions, selection: Selection) -> None:
    """Print each job that is selected: its id, its script, and how the script spells the shared options and its own.

    Raises ConfigError where none is.
    """
    every = find_jobs(options)
    values = {key: value for key, value in asdict(options).items() if key != "job"}
    configs = [OmegaConf.create({"scripts": {**values, "job": job.id}}) for job in every]
    jobs = [job for job, config in zip(every, configs, strict=True) if selection.wants(config, [job.id])]
    selection.check_keys()
    if not jobs:
        raise ConfigError(f"{selection} leaves none of {count_of(len(every), 'job')}")
    width = max(len(job.id) for job in jobs)
    for job in jobs:
        interface = interface_of_job(job, options)
        print(f"{job.id:<{width}}  {job.path}  {_in_brackets(job, interface)}")
        for line in _lines(job, options, interface):
            print(f"{'':<{width}}    {line}")
    print(count_of(len(jobs), "job"))


def not_reached(runs: Iterable[ScriptsOptions]) -> list[str]:
    """Jobs that a shared option or one of `scripts.args` does not reach: a line for each option that misses some."""
    asked: dict[str, dict[str, bool]] = defaultdict(dict)  # key -> job -> whether its script has the option
    own: dict[str, dict[str, None]] = defaultdict(dict)  # key -> the jobs whose own arguments have it
    for options in runs:
        job = find_job(options)
        for shared, option in shared_options(job, options).items():
            asked[f"scripts.{shared}"][job.id] = option is not None
            if option is not None and sets_by_itself(job, options, option):
                own[f"scripts.{shared}"][job.id] = None
        interface = interface_of_job(job, options)
        for name in options.args:
            known = find_option(interface.options, (normalised(name),)) is not None
            asked[f"scripts.args.{name}"][job.id] = known or not interface.complete
    lines = []
    for key, jobs in asked.items():
        without = [job for job, has in jobs.items() if not has]
        if without:
            lines.append(
                f"{key} does not reach {len(without)} of {count_of(len(jobs), 'job')}, for want of such an option: "
                f"{_some(without)}"
            )
        if own[key]:
            count = f"{len(own[key])} of {count_of(len(jobs), 'job')}"
            lines.append(f"{key} does not change {count}, whose own arguments have it: {_some(list(own[key]))}")
    return lines


def describe(run: PlannedRun) -> str:
    """For the dry run: the command, as one would give it to a shell, and what does not reach the script."""
    options = scripts_options(OmegaConf.create(run.config))
    assert options is not None
    command = command_of(options, run.directory)
    lines = [str(command)]
    if command.own_working_dir:
        lines.append(f"in a directory of its own, like {os.path.relpath(command.working_dir)}")
    return "\n       ".join([*lines, *(line.replace(" 1 of 1 job,", " it,") for line in not_reached([options]))])


def _some(jobs: list[str]) -> str:
    return ", ".join(jobs[:SHOWN_JOBS]) + (", ..." if len(jobs) > SHOWN_JOBS else "")


def _in_brackets(job: Job, interface: ScriptInterface) -> str:
    words = [interface.library or ("no options" if interface.complete else "options unknown")]
    if job.optional:
        words.append("optional")
    if job.timeout is not None:
        words.append(f"timeout {job.timeout:g} min")
    return f"({', '.join(words)})"


def _lines(job: Job, options: ScriptsOptions, interface: ScriptInterface) -> Iterator[str]:
    shared: dict[str, Option | None] = {
        name: None if name in job.withheld else find_option(interface.options, names) for name, names in SHARED.items()
    }
    shared["output_dir"] = output_arguments(job, options, "")[0]
    found = [f"{name} {option.spelling}" for name, option in shared.items() if option is not None]
    if found:
        yield "shared: " + ", ".join(found)
    own = [option for option in interface.options if option not in shared.values()]
    if own:
        yield "own: " + ", ".join(option.spelling + (" (required)" if option.required else "") for option in own)
    if interface.positional:
        yield "needs: " + ", ".join(interface.positional)
    given = [*job.arguments, *(f"{name}={value}" for name, value in job.named.items())]
    if given:
        yield "args: " + " ".join(given)
    if shared["output_dir"] is None and options.own_working_dir is not False:
        yield "no option for its output: each run works in a directory of its own"
    if not interface.complete and interface.library is not None:
        yield "it may have more options, which cannot be read from its source"

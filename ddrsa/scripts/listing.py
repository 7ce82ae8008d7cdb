"""`scripts.list=true`: the jobs, and the options that each supports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.scripts.command import interface_of_job
from ddrsa.scripts.interface.read import ScriptInterface
from ddrsa.scripts.interface.source import Option
from ddrsa.scripts.jobs import Job, find_job, find_jobs
from ddrsa.scripts.options import ScriptsOptions
from ddrsa.scripts.spelling import SHARED, find_option, normalised, output_option
from ddrsa.sweep.plan.selection import Selection

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
        raise ConfigError(f"{selection} leaves none of {len(every)} jobs")
    width = max(len(job.id) for job in jobs)
    for job in jobs:
        interface = interface_of_job(job)
        print(f"{job.id:<{width}}  {job.path}  {_in_brackets(job, interface)}")
        for line in _lines(job, interface):
            print(f"{'':<{width}}    {line}")
    print(f"{len(jobs)} jobs" if len(jobs) > 1 else "1 job")


def not_reached(runs: Iterable[ScriptsOptions]) -> list[str]:
    """Jobs that a shared option or one of `scripts.args` does not reach: a line for each option that misses some."""
    asked: dict[str, dict[str, bool]] = defaultdict(dict)  # key -> job -> whether its script has the option
    for options in runs:
        job = find_job(options)
        interface = interface_of_job(job)
        for shared, names in SHARED.items():
            if getattr(options, shared) is not None:
                asked[f"scripts.{shared}"][job.id] = find_option(interface.options, names) is not None
        for name in options.args:
            known = find_option(interface.options, (normalised(name),)) is not None
            asked[f"scripts.args.{name}"][job.id] = known or not interface.complete
    lines = []
    for key, jobs in asked.items():
        without = [job for job, has in jobs.items() if not has]
        if without:
            shown = ", ".join(without[:SHOWN_JOBS]) + (", ..." if len(without) > SHOWN_JOBS else "")
            lines.append(f"{key} does not reach {len(without)} of {len(jobs)} jobs, which have no such option: {shown}")
    return lines


def _in_brackets(job: Job, interface: ScriptInterface) -> str:
    words = [interface.library or ("no options" if interface.complete else "options unknown")]
    if job.optional:
        words.append("optional")
    if job.timeout is not None:
        words.append(f"timeout {job.timeout:g} min")
    return f"({', '.join(words)})"


def _lines(job: Job, interface: ScriptInterface) -> Iterator[str]:
    shared: dict[str, Option | None] = {name: find_option(interface.options, names) for name, names in SHARED.items()}
    shared["output_dir"] = output_option(interface.options)
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
    if not interface.complete and interface.library is not None:
        yield "it may have more options, which cannot be read from its source"

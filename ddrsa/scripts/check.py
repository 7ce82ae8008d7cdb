"""Check of a job before it is started: what it needs is given, and what is given reaches somebody."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from pathlib import Path

from ddrsa.errors import ConfigError
from ddrsa.scripts.arguments import arguments_of, given_value, interface_of_job, output_arguments
from ddrsa.scripts.interface.read import UNKNOWN_INTERFACE, ScriptInterface, read_interface
from ddrsa.scripts.job import Job
from ddrsa.scripts.jobs import find_job, find_jobs
from ddrsa.scripts.options import ScriptsOptions
from ddrsa.scripts.spelling import SHARED, known_as, normalised
from ddrsa.scripts.starting import command_template, environment_of


def check_job(options: ScriptsOptions) -> None:
    """Raise ConfigError where the job of a run cannot be started as `options` say."""
    job = find_job(options)
    arguments = arguments_of(job, options)
    command_template(job, options)
    environment_of(job, options)
    _check_that_all_is_given(job, options, arguments)
    _check_that_they_reach_a_script(options)


def _check_that_all_is_given(job: Job, options: ScriptsOptions, arguments: tuple[str, ...]) -> None:
    interface = interface_of_job(job, options)
    if not interface.complete:
        return
    given = [*arguments, *output_arguments(job, options, "x")[1], *options.extra_args]
    for option in interface.options:
        if option.required and given_value(option, given) is None:
            name = normalised(option.spelling)
            raise ConfigError(
                f"job {job.id}: {job.path} needs {option.spelling}, which is not given: scripts.args.{name}=VALUE"
            )
    if interface.positional and not any(not word.startswith("-") for word in (*job.arguments, *options.extra_args)):
        needed = ", ".join(interface.positional)
        raise ConfigError(
            f"job {job.id}: {job.path} needs {needed} without a name, which is not given: "
            "by scripts.extra_args=[VALUE], or by args in a file of jobs"
        )


def _check_that_they_reach_a_script(options: ScriptsOptions) -> None:
    """Raise ConfigError on an option that no script of the sweep accepts: it is mistyped, or nobody's."""
    accepted = _accepted_names(options)
    if accepted is None:
        return
    for shared, names in SHARED.items():
        if getattr(options, shared) is not None and not accepted.intersection(names):
            raise ConfigError(f"scripts.{shared}={getattr(options, shared)}: no script has an option for it")
    for name in options.args:
        if normalised(name) not in accepted:
            near = difflib.get_close_matches(normalised(name), accepted, n=1)
            hint = f". Did you mean scripts.args.{near[0]}?" if near else ""
            raise ConfigError(f"scripts.args.{name}: no script has an option --{name}{hint}")
    if options.output_option is not None and normalised(options.output_option) not in accepted:
        raise ConfigError(f"scripts.output_option={options.output_option}: no script has such an option")


def _accepted_names(options: ScriptsOptions) -> frozenset[str] | None:
    """The names of all options of all scripts; None where a script may have others."""
    jobs = find_jobs(options)
    if not options.read_help:
        return _names_in_sources(Path.cwd(), tuple(job.path for job in jobs))
    return _names_of([interface_of_job(job, options) for job in jobs])


# Planning asks for them again for each run of the sweep.
@functools.lru_cache(maxsize=8)
def _names_in_sources(_current: Path, paths: tuple[Path, ...]) -> frozenset[str] | None:
    return _names_of([read_interface(path) if path.exists() else UNKNOWN_INTERFACE for path in paths])


def _names_of(interfaces: Iterable[ScriptInterface]) -> frozenset[str] | None:
    names: set[str] = set()
    for interface in interfaces:
        if not interface.complete:
            return None
        names.update(*(known_as(option) | set(map(normalised, option.names)) for option in interface.options))
    return frozenset(names)

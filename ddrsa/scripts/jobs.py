"""Jobs of scripts: found beneath a folder, or listed in a YAML file."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from ddrsa.errors import ConfigError
from ddrsa.scripts.discovery import find_scripts, job_ids
from ddrsa.scripts.options import ScriptsOptions, as_text

FILE_KEYS = ("id", "script", "args", "optional", "timeout")
# What Hydra takes as a plain text on its command line, and a file system as the name of a folder.
_ID = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Job:
    """A script with what it is given.

    path: of the script, as the root or the file of jobs names it.
    arguments: in front of all others, as they are. named: by the names of options, as in `scripts.args`.
    optional: whether the sweep is a success without it. timeout: in minutes, None for that of the sweep.
    """

    id: str
    path: Path
    arguments: tuple[str, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    timeout: float | None = None


def find_jobs(options: ScriptsOptions) -> tuple[Job, ...]:
    """The jobs of `options`, by their ids. Raises ConfigError where there are none, or they cannot be read."""
    return _find_jobs(Path.cwd(), options.root, options.include, options.exclude, options.jobs, options.optional)


def find_job(options: ScriptsOptions) -> Job:
    """The job `scripts.job`. Raises ConfigError where there is none of that id."""
    jobs = find_jobs(options)
    for job in jobs:
        if job.id == options.job:
            return job
    known = ", ".join(job.id for job in jobs)
    if options.job is None:
        raise ConfigError(f"scripts.job is not set: a single run needs one of {known}")
    raise ConfigError(f"scripts.job={options.job}: there is no such job, there are {known}")


# Planning asks for them again for each run of the sweep.
@functools.lru_cache(maxsize=8)
def _find_jobs(
    _current: Path,  # of a relative root
    roots: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    file: str | None,
    optional: tuple[str, ...],
) -> tuple[Job, ...]:
    if not roots and file is None:
        raise ConfigError("scripts.root is not set: name the folder of the scripts, or a file of jobs by scripts.jobs")
    if not include:
        raise ConfigError("scripts.include=[]: allowed are patterns of file names, such as train_*.py")
    found = job_ids(find_scripts(roots, include, exclude))
    jobs = {name: Job(name, path) for path, name in found.items()}
    for job in [] if file is None else read_jobs(Path(file)):
        other = jobs.get(job.id)
        if other is not None and other.path.resolve() != job.path.resolve():
            raise ConfigError(f"{file}: the id {job.id} is that of {other.path} too; give one of them another")
        jobs[job.id] = job
    for pattern in optional:
        if not any(fnmatchcase(name, pattern) for name in jobs):
            raise ConfigError(f"scripts.optional={pattern}: there is no such job, there are {', '.join(sorted(jobs))}")
    for name, job in jobs.items():
        if not _ID.fullmatch(name):
            raise ConfigError(f"{job.path}: its id {name!r} has a character other than letters, digits and . _ -")
    return tuple(
        job if job.optional or not any(fnmatchcase(name, pattern) for pattern in optional) else _as_optional(job)
        for name, job in sorted(jobs.items())
    )


def _as_optional(job: Job) -> Job:
    return Job(job.id, job.path, job.arguments, job.named, True, job.timeout)


def read_jobs(file: Path) -> list[Job]:
    """The jobs that a YAML file lists; docs/scripts.md has its format. Raises ConfigError with the place."""
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"scripts.jobs={file}: it cannot be read: {' '.join(str(error).split())}") from error
    entries = content.get("jobs") if isinstance(content, dict) and set(content) == {"jobs"} else content
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{file}: a list of jobs is expected, under the key jobs")
    jobs: dict[str, Job] = {}
    for number, entry in enumerate(entries, start=1):
        job = _read_job(file, number, entry)
        if job.id in jobs:
            raise ConfigError(f"{file}: two jobs have the id {job.id}; give one of them another")
        jobs[job.id] = job
    return list(jobs.values())


def _read_job(file: Path, number: int, entry: Any) -> Job:
    place = f"{file}: job {number}"
    if isinstance(entry, str):
        entry = {"script": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("script"), str):
        raise ConfigError(f"{place}: it has no script; allowed keys are {', '.join(FILE_KEYS)}")
    path = file.parent / Path(entry["script"]).expanduser()
    name = entry.get("id", next(iter(job_ids([path]).values())))
    place = f"{place} ({name})"
    unknown = [str(key) for key in entry if key not in FILE_KEYS]
    if unknown:
        raise ConfigError(f"{place}: there is no key {unknown[0]}; allowed are {', '.join(FILE_KEYS)}")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ConfigError(f"{place}: id is {name!r}: allowed is a text of letters, digits and . _ -")
    if not path.is_file():
        raise ConfigError(f"{place}: there is no file {path}")
    optional, timeout = entry.get("optional", False), entry.get("timeout")
    if not isinstance(optional, bool):
        raise ConfigError(f"{place}: optional is {optional!r}: allowed are true and false")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0):
        raise ConfigError(f"{place}: timeout is {timeout!r}: allowed are minutes above 0, and null")
    arguments, named = _read_arguments(place, entry.get("args"))
    return Job(name, path, arguments, named, optional, timeout)


def _read_arguments(place: str, given: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    if given is None:
        return (), {}
    if isinstance(given, str):
        try:
            return tuple(shlex.split(given)), {}
        except ValueError as error:
            raise ConfigError(f"{place}: args is {given!r}: {error}") from error
    plain = (str, int, float)
    if isinstance(given, list) and all(isinstance(each, plain) for each in given):
        return tuple(map(as_text, given)), {}
    if isinstance(given, dict):
        flat = [item for value in given.values() for item in (value if isinstance(value, list) else [value])]
        if all(item is None or isinstance(item, plain) for item in flat):
            return (), {str(key): value for key, value in given.items()}
    raise ConfigError(f"{place}: args is {given!r}: allowed are a text, a list, and names with values")

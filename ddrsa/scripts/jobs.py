"""Jobs of scripts: found beneath a folder, or listed in a YAML file."""

from __future__ import annotations

import functools
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from ddrsa.errors import ConfigError
from ddrsa.scripts.discovery import find_scripts, job_ids
from ddrsa.scripts.job import Job
from ddrsa.scripts.jobs_file import read_jobs
from ddrsa.scripts.options import ScriptsOptions


def find_jobs(options: ScriptsOptions) -> tuple[Job, ...]:
    """The jobs of `options`, by their ids. Raises ConfigError where there are none, or they cannot be read."""
    directory = options.directory
    results = None if options.output_dir is None else directory / options.output_dir
    return _find_jobs(
        *(Path.cwd(), directory, options.root, options.include, options.exclude, results),
        *(options.jobs, options.optional),
    )


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
    directory: Path,
    roots: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    results: Path | None,
    file: str | None,
    optional: tuple[str, ...],
) -> tuple[Job, ...]:
    if not roots and file is None:
        raise ConfigError("scripts.root is not set: name the folder of the scripts, or a file of jobs by scripts.jobs")
    if not include:
        raise ConfigError("scripts.include=[]: allowed are patterns of file names, such as train_*.py")
    found = job_ids(find_scripts(roots, include, exclude, results))
    jobs = {name: Job(name, path) for path, name in found.items()}
    for job in [] if file is None else read_jobs(Path(file), directory):
        other = jobs.get(job.id)
        if other is not None and other.path.resolve() != job.path.resolve():
            raise ConfigError(f"{file}: the id {job.id} is that of {other.path} too; give one of them another")
        jobs[job.id] = job
    for pattern in optional:
        if not any(fnmatchcase(name, pattern) for name in jobs):
            raise ConfigError(f"scripts.optional={pattern}: there is no such job, there are {', '.join(sorted(jobs))}")
    return tuple(
        replace(job, optional=job.optional or any(fnmatchcase(name, pattern) for pattern in optional))
        for name, job in sorted(jobs.items())
    )

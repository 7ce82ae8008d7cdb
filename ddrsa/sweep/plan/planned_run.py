"""Planned runs: each job's identity and its directory, and its config when it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from ddrsa.overrides import override_parts
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.job_plan import DiffersError, JobPlan, Wanted
from ddrsa.sweep.plan.placement import place_runs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep before it starts.

    number: Hydra's job number.
    overrides: of the job, as the sweeper gives them.
    directory: absolute. No two identities share one, and an identity keeps the directory that it has.
    identity: the run id, the same wherever and in whatever order the run is planned.
    values: the swept overrides, key to value: those that are not the same in all jobs planned with it.
    timeout: in minutes, where the launcher is told it. optional: whether its failure is no failure of the sweep.
    """

    number: int
    overrides: tuple[str, ...]
    directory: Path
    identity: str
    values: dict[str, str]
    timeout: float | None = None
    optional: bool = False
    # Thousands of whole configs would fill memory, so each is made when it is asked for.
    make_config: Callable[[], dict[str, Any]] = field(default=dict, repr=False, compare=False)
    compose: Callable[[PlannedRun], bytes] = field(default=lambda _: b"", repr=False, compare=False)

    @property
    def config(self) -> dict[str, Any]:
        """The job's config without `hydra`, as plain values; what must not be resolved here stands as written."""
        return self.make_config()

    @property
    def composed(self) -> bytes:
        """The whole config with `hydra`, pickled, for the process that does the run."""
        return self.compose(self)


def plan_runs(
    composer: Composer,
    jobs: Sequence[Sequence[str]],
    first_number: int = 0,
    wanted: Wanted | None = None,
) -> list[PlannedRun]:
    """Plan the jobs, by each one's config as its task would get it. Writes nothing and leases nothing.

    composer: of the sweep's configs. Of its `hydra.launcher` this reads `identity` (dotted path of a function from a
        job's config to its run id) and `not_identity` (the keys that do not change what the run is), where there are
        any; and in the config of each job, where they may differ, `timeout` and `optional`.
    jobs: the overrides of each job.
    wanted: told of each job's config, without `hydra`, and its overrides; a job for which it is false is left out, and
        has no number. What it raises ends the planning.

    Raises ConfigError and Hydra's errors where a job's config cannot be composed.
    """
    plan = JobPlan(composer, wanted)
    swept = _swept(jobs)
    while True:
        try:
            runs = _runs(plan, jobs, first_number, swept)
            break
        except DiffersError as error:
            log.debug("%s: all jobs of this kind are composed by Hydra", error)
    if not plan.has_identities:
        # Hydra's other launchers know no identities: theirs is the directory that the config names.
        return runs
    places = place_runs(plan.sweep_dir, [(run.identity, run.directory) for run in runs])
    return [
        run if run.directory == directory else replace(run, directory=directory)
        for run, directory in zip(runs, places, strict=True)
    ]


def _runs(plan: JobPlan, jobs: Sequence[Sequence[str]], first_number: int, swept: set[str]) -> list[PlannedRun]:
    runs: list[PlannedRun] = []
    for overrides in jobs:
        number = first_number + len(runs)
        job = plan.job(overrides, number)
        if job is None:
            continue
        values = {key: value for key, value in map(_parts, overrides) if key in swept}
        own = (job.timeout, job.optional, job.make_config, job.compose)
        runs.append(PlannedRun(number, tuple(overrides), job.directory, job.identity, values, *own))
    return runs


def adopt_sweep_dir(composer: Composer, overrides: Sequence[str]) -> None:
    """Let the sweep's directory be that of its jobs, where a key of theirs stands in it: `${model.name}`.

    Hydra composes the config of the sweep without the overrides of its task. overrides: those that all jobs share.
    """
    config = composer.config
    try:
        found = str(composer.compose(overrides).hydra.sweep.dir)
    except (HydraException, OmegaConfBaseException):
        return  # each job says so itself
    if found != str(config.hydra.sweep.dir):
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = found


def _swept(jobs: Sequence[Sequence[str]]) -> set[str]:
    """The keys whose override is not the same in all jobs; of a single job, all keys."""
    first = dict(map(_parts, jobs[0])) if jobs else {}
    if len(jobs) == 1:
        return set(first)
    swept = set()
    for overrides in jobs:
        values = dict(map(_parts, overrides))
        swept |= {key for key in first.keys() | values.keys() if first.get(key) != values.get(key)}
    return swept


# Thousands of jobs share the texts of a few overrides.
_parts = lru_cache(maxsize=1024)(override_parts)

"""Planned runs: each job's config composed once, its identity and its directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from ddrsa.compat_hydra import shown_by_hydra_config
from ddrsa.errors import ConfigError
from ddrsa.overrides import override_parts
from ddrsa.rundir.identity import identity_of
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.gpu.lease import without_leases
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.placement import place_runs

Identity = Callable[[DictConfig], str]


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep before it starts.

    number: Hydra's job number.
    overrides: of the job, as the sweeper gives them.
    directory: absolute. No two identities share one, and an identity keeps the directory that it has.
    identity: the run id, the same wherever and in whatever order the run is planned.
    config: the job's config without `hydra`, as plain values; what must not be resolved here stands as written.
    values: the swept overrides, key to value: those that are not the same in all jobs planned with it.
    composed: the whole config with `hydra`, pickled, for the process that does the run.
    timeout: in minutes, where the launcher is told it. optional: whether its failure is no failure of the sweep.
    """

    number: int
    overrides: tuple[str, ...]
    directory: Path
    identity: str
    config: dict[str, Any]
    values: dict[str, str]
    composed: bytes = field(repr=False, compare=False)
    timeout: float | None = None
    optional: bool = False


def plan_runs(
    composer: Composer,
    jobs: Sequence[Sequence[str]],
    first_number: int = 0,
    wanted: Callable[[DictConfig, Sequence[str]], bool] | None = None,
) -> list[PlannedRun]:
    """Compose each job's config once, as its task would get it. Writes nothing and leases nothing.

    composer: of the sweep's configs. Of its `hydra.launcher` this reads `identity` (dotted path of a function from a
        job's config to its run id) and `not_identity` (the keys that do not change what the run is), where there are
        any; and in the config of each job, where they may differ, `timeout` and `optional`.
    jobs: the overrides of each job.
    wanted: told of each job's config, without `hydra`, and its overrides; a job for which it is false is left out, and
        has no number. What it raises ends the planning.

    Raises ConfigError and Hydra's errors where a job's config cannot be composed.
    """
    launcher = composer.config.hydra.launcher
    not_identity = frozenset(OmegaConf.select(launcher, "not_identity") or ())
    path = OmegaConf.select(launcher, "identity")
    identity = find_object("hydra.launcher.identity", path) if path else None
    swept = _swept(jobs)
    sweep_dir = Path(str(composer.config.hydra.sweep.dir)).absolute()
    runs: list[PlannedRun] = []
    for overrides in jobs:
        whole = composer.compose(overrides)
        number = first_number + len(runs)
        with _as_job(whole, number) as job:
            if wanted is not None and not wanted(job, overrides):
                continue
            plain = plain_config(job, not_identity)
            name = (
                identity(job)
                if identity is not None
                else identity_of({key: value for key, value in plain.items() if key not in not_identity})
            )
            root = Path(str(whole.hydra.sweep.dir)).absolute()
            if "identity" in launcher and root != sweep_dir:
                raise ConfigError(
                    f"hydra.sweep.dir is {os.path.relpath(root)} for the job {' '.join(overrides)}, and "
                    f"{os.path.relpath(sweep_dir)} for the sweep: it holds all runs of a sweep, so no swept key can "
                    "stand in it; hydra.sweep.subdir may differ from run to run"
                )
            directory = root / str(whole.hydra.sweep.subdir)
            values = {key: value for key, value in map(override_parts, overrides) if key in swept}
            pickled = cloudpickle.dumps(whole)
            timeout = OmegaConf.select(whole, "hydra.launcher.timeout")
            optional = bool(OmegaConf.select(whole, "hydra.launcher.optional"))
            given = (number, tuple(overrides), directory, name, plain, values, pickled)
            runs.append(PlannedRun(*given, timeout, optional))
    if "identity" not in launcher:
        # Hydra's other launchers know no identities: theirs is the directory that the config names.
        return runs
    places = place_runs(sweep_dir, [(run.identity, run.directory) for run in runs])
    return [
        run if run.directory == directory else replace(run, directory=directory)
        for run, directory in zip(runs, places, strict=True)
    ]


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


@contextmanager
def _as_job(whole: DictConfig, number: int) -> Iterator[DictConfig]:
    """Yield the config as the task will see it, without `hydra`; HydraConfig holds the job's `hydra` in the block."""
    with read_write(whole), open_dict(whole):
        whole.hydra.job.id = f"{whole.hydra.job.name}_{number}"
        whole.hydra.job.num = number
    with shown_by_hydra_config(whole), without_leases():
        job: DictConfig = cloudpickle.loads(cloudpickle.dumps(whole))  # several times as fast as `copy`
        with read_write(job), open_dict(job):
            del job["hydra"]
        yield job


def plain_config(job: DictConfig, unresolved: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The values of `job`; a top-level key stands as written where it is in `unresolved` or cannot be resolved here."""
    written: Any = OmegaConf.to_container(job, resolve=False)
    plain = {str(key): value for key, value in written.items()}
    for key in job:
        if str(key) in unresolved or OmegaConf.is_missing(job, key):
            continue
        try:
            value = job[key]
            plain[str(key)] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException:
            # Such a value shows its error when the task asks for it; what the run is, its text says as well.
            continue
    return plain


def _swept(jobs: Sequence[Sequence[str]]) -> set[str]:
    """The keys whose override is not the same in all jobs; of a single job, all keys."""
    seen = [dict(map(override_parts, overrides)) for overrides in jobs]
    keys = {key for values in seen for key in values}
    return {key for key in keys if len(seen) == 1 or len({values.get(key) for values in seen}) > 1}

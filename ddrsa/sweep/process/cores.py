"""How many CPU threads a run may use, so that concurrent runs together use no more than there are cores."""

from __future__ import annotations

import os
from typing import Any

import joblib
from hydra.types import RunMode

from ddrsa.errors import ConfigError

# The cores that a scheduler has given to the run of this process.
CORES_VARIABLE = "DDRSA_CPUS"

# OpenMP's own, and GNU's: how long a thread that waits for the others keeps its core busy meanwhile.
WAIT_VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
SPINS = 1000  # about 10 microseconds; GNU's own default is 300 times as long


def threads_per_run(n_jobs: int | None, cores: int | None = None) -> int:
    """The threads of each of `n_jobs` concurrent runs, at least 1.

    n_jobs: as joblib reads it: -1 is all cores, -2 all but one, None is 1.
    cores: the cores that this process may use, by default; CPU affinity and the quota of a container count.

    Where a scheduler runs the jobs, it is the number of cores that it has given to this one.

    Raises ConfigError where n_jobs is 0.
    """
    if given := os.environ.get(CORES_VARIABLE):
        return max(int(given), 1)
    cores = joblib.cpu_count() if cores is None else cores
    return max(cores // job_count(n_jobs, cores), 1)


def share_cores() -> None:
    """Let the threads of this process, and of those that it starts, give up their core soon while they have to wait.

    To be called before torch is imported, which reads it once. Where another program uses the cores too, and there is
    always one on a shared machine, threads that spin keep from working those that they wait for
    (benchmarks/shared_cores.py). It does nothing where the environment says how to wait.
    """
    if not os.environ.keys() & set(WAIT_VARIABLES):
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)


def concurrent_runs(hydra_config: Any) -> int:
    """The most runs that Hydra's launcher starts at once, from `HydraConfig.get()`.

    It is 1 without --multirun and for a launcher that has no `n_jobs`. Raises ConfigError where n_jobs is 0.
    """
    if hydra_config.mode != RunMode.MULTIRUN:
        return 1
    return job_count(hydra_config.launcher.get("n_jobs"), joblib.cpu_count())


def job_count(n_jobs: int | None, cores: int) -> int:
    """How many jobs at once `n_jobs` means on `cores` cores. Raises ConfigError where it is 0."""
    if n_jobs is None:
        return 1
    if n_jobs == 0:
        raise ConfigError("hydra.launcher.n_jobs is 0: it must be 1 or more, or negative: -1 for all cores")
    return n_jobs if n_jobs > 0 else max(cores + 1 + n_jobs, 1)

"""OmegaConf resolvers that the config files use."""

from __future__ import annotations

from typing import Any

import joblib
import platformdirs
from omegaconf import DictConfig, OmegaConf

from ddrsa.compat_hydra import register_resolver
from ddrsa.config import run_id
from ddrsa.errors import ConfigError
from ddrsa.rundir.identity import in_names
from ddrsa.schema import NOT_IDENTITY
from ddrsa.scripts.command import run_name, script_ids
from ddrsa.scripts.job import Job
from ddrsa.scripts.jobs import find_job
from ddrsa.scripts.options import scripts_options
from ddrsa.sweep.gpu.lease import APPLE, current_lease, lease_gpu, visible_gpus
from ddrsa.sweep.gpu.packing import AUTO


def register() -> None:
    """Register all of them. May be called again."""
    register_resolver("gpu_index", _gpu_index)
    register_resolver("not_identity", lambda: sorted(NOT_IDENTITY))
    register_resolver("run_id", _run_id)
    register_resolver("concurrent_runs", _concurrent_runs)
    register_resolver("for_scripts", _for_scripts)
    register_resolver("run_timeout", _run_timeout)
    register_resolver("run_optional", _run_optional)
    register_resolver("script_ids", lambda *, _root_: script_ids(_root_))
    register_resolver("script_run_name", _script_run_name)
    register_resolver("gpus_of_a_run", _gpus_of_a_run)
    register_resolver("user_cache_dir", lambda: platformdirs.user_cache_dir("ddrsa"))


def _gpu_index(*, _root_: DictConfig) -> int | None:
    """Lease a GPU for this run, by the keys `gpus` and `runs_per_gpu`; waits for one. None where there is no GPU.

    The lease lasts until the run lets it go, or its process ends; asked again, it is the same.
    """
    lease = current_lease()
    if lease is None:
        gpus = _root_.gpus if isinstance(_root_.gpus, str) else list(_root_.gpus)
        gpus = APPLE if _root_.device == "mps" else gpus
        # On the CPU a list of GPUs is leased as it stands, whatever the machine has: allocation can be tried anywhere.
        environ = {"CUDA_VISIBLE_DEVICES": ""} if _root_.device == "cpu" else None
        lease = lease_gpu(
            gpus,
            _root_.runs_per_gpu,
            count=int(_root_.gpus_per_run),
            run=in_names(run_id(_root_)),
            environ=environ,
        )
    return None if lease is None else lease.index


def _run_id(*, _root_: DictConfig) -> str:
    return in_names(run_id(_root_))


def _concurrent_runs(*, _root_: DictConfig) -> int:
    """The number of runs at once: as many as the GPUs take (on Apple's one), or without any one per core (-1).

    With runs_per_gpu=auto it is one per core, at least one per GPU: those for which there is no room yet wait.
    """
    listed = not isinstance(_root_.gpus, str)
    if _root_.device == "mps":
        gpus = 1  # Apple's
    elif listed:
        gpus = len(_root_.gpus)
    else:
        gpus = 0 if _root_.device == "cpu" else len(visible_gpus())
    if _root_.runs_per_gpu == AUTO:
        return max(gpus // int(_root_.gpus_per_run), joblib.cpu_count()) if gpus else -1
    # Fewer GPUs than a run wants are refused when it is checked.
    return max(1, gpus * int(_root_.runs_per_gpu) // int(_root_.gpus_per_run)) if gpus else -1


def _for_scripts(scripts: Any, models: Any, *, _root_: DictConfig) -> Any:
    """The first where the runs are scripts, else the second."""
    return models if OmegaConf.select(_root_, "scripts") is None else scripts


def _job(root: DictConfig) -> Job | None:
    """The script that a run is; None where it is a model, and for a sweep as a whole."""
    options = scripts_options(root)
    return None if options is None or options.job is None else find_job(options)


def _run_timeout(*, _root_: DictConfig) -> float | None:
    job = _job(_root_)
    return _root_.timeout if job is None or job.timeout is None else job.timeout


def _run_optional(*, _root_: DictConfig) -> bool:
    job = _job(_root_)
    return job is not None and job.optional


def _script_run_name(*, _root_: DictConfig) -> str:
    options = scripts_options(_root_)
    assert options is not None
    return run_name(options)


def _gpus_of_a_run(*, _root_: DictConfig) -> float:
    """The GPUs, or the share of one, that a run asks of a scheduler: with runs_per_gpu=auto whole ones."""
    if _root_.device in ("cpu", "mps"):
        return 0
    gpus = int(_root_.gpus_per_run)
    if gpus > 1 and _root_.runs_per_gpu not in (1, AUTO):
        raise ConfigError(f"runs_per_gpu={_root_.runs_per_gpu}: a scheduler shares no GPUs among runs of {gpus} each")
    return gpus if _root_.runs_per_gpu in (1, AUTO) else gpus / int(_root_.runs_per_gpu)

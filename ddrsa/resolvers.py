"""The OmegaConf resolvers that the config files use."""

from __future__ import annotations

import joblib
import platformdirs
from omegaconf import DictConfig, OmegaConf

from ddrsa.config import run_id
from ddrsa.sweep.gpu_packing import AUTO
from ddrsa.sweep.gpus import current_lease, lease_gpu, visible_gpus


def register() -> None:
    """Register `gpu_index`, `run_id`, `concurrent_runs`, `gpus_of_a_run` and `user_cache_dir`. May be called again."""
    OmegaConf.register_new_resolver("gpu_index", _gpu_index, replace=True)
    OmegaConf.register_new_resolver("run_id", _run_id, replace=True)
    OmegaConf.register_new_resolver("concurrent_runs", _concurrent_runs, replace=True)
    OmegaConf.register_new_resolver("gpus_of_a_run", _gpus_of_a_run, replace=True)
    OmegaConf.register_new_resolver("user_cache_dir", lambda: platformdirs.user_cache_dir("ddrsa"), replace=True)


def _gpu_index(*, _root_: DictConfig) -> int | None:
    """Lease a GPU for this run, by the keys `gpus` and `runs_per_gpu`; waits for one. None where there is no GPU.

    The lease lasts until the run lets it go, or its process ends; asked again, it is the same.
    """
    lease = current_lease()
    if lease is None:
        gpus = _root_.gpus if isinstance(_root_.gpus, str) else list(_root_.gpus)
        # On the CPU a list of GPUs is leased as it stands, whatever the machine has: allocation can be tried anywhere.
        environ = {"CUDA_VISIBLE_DEVICES": ""} if _root_.device == "cpu" else None
        lease = lease_gpu(gpus, _root_.runs_per_gpu, run=run_id(_root_), environ=environ)
    return None if lease is None else lease.index


def _run_id(*, _root_: DictConfig) -> str:
    return run_id(_root_)


def _concurrent_runs(*, _root_: DictConfig) -> int:
    """How many runs a sweep starts at once: as many as the GPUs take, or where there are none one per core (-1).

    With runs_per_gpu=auto it is one per core, at least one per GPU: those for which there is no room yet wait.
    """
    listed = not isinstance(_root_.gpus, str)
    gpus = len(_root_.gpus) if listed else 0 if _root_.device == "cpu" else len(visible_gpus())
    if _root_.runs_per_gpu == AUTO:
        return max(gpus, joblib.cpu_count()) if gpus else -1
    return gpus * int(_root_.runs_per_gpu) or -1


def _gpus_of_a_run(*, _root_: DictConfig) -> float:
    """What a run asks of a scheduler that hands out parts of GPUs: with runs_per_gpu=auto a whole one."""
    if _root_.device == "cpu":
        return 0
    return 1 if _root_.runs_per_gpu == AUTO else 1 / int(_root_.runs_per_gpu)

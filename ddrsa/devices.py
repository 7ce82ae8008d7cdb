"""Devices that a run may ask for, and whether this machine has them."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.sweep.config import SupervisedLauncherConf
from ddrsa.sweep.gpu.visible import visible_gpus

DEVICES = ("auto", "cpu", "cuda", "mps")
# Launchers whose runs are on this machine; those of others may find there what this one has not.
_LAUNCHERS_HERE = (
    SupervisedLauncherConf._target_,
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
)


def check_devices(device: Any, gpus: Any, runs_per_gpu: Any) -> None:
    """Raise ConfigError where one of these keys has a value that is not allowed."""
    require("device", device, device in DEVICES, ", ".join(DEVICES))
    shared = runs_per_gpu == "auto" or (type(runs_per_gpu) is int and runs_per_gpu >= 1)
    require("runs_per_gpu", runs_per_gpu, shared, "1 or more, or auto")
    listed = isinstance(gpus, list) and len(gpus) > 0 and all(type(index) is int and index >= 0 for index in gpus)
    require("gpus", gpus, gpus == "auto" or listed, "auto or a list of GPU indices such as [0,2,3]")


def check_device_is_here(config: DictConfig) -> None:
    """Raise ConfigError where a run is to be done on this machine, and asks for a GPU that is not there.

    It may be called for each of thousands of runs.
    """
    if config.dry_run or _is_elsewhere():
        return
    if config.device == "mps":
        _check_apple_gpu(config)
    if config.device == "cuda" and not _has_gpu(tuple(sorted(os.environ.items()))):
        raise ConfigError("device=cuda: no GPU was found; allowed here are auto and cpu")


def _is_elsewhere() -> bool:
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return False
    return HydraConfig.get().launcher._target_ not in _LAUNCHERS_HERE


def _check_apple_gpu(config: DictConfig) -> None:
    if platform.system() != "Darwin":
        raise ConfigError("device=mps: Apple's GPUs are in Macs, and this is none; allowed here are auto, cpu and cuda")
    listed = not isinstance(config.gpus, str)
    require("gpus", list(config.gpus) if listed else config.gpus, not listed, "auto, as a Mac has one GPU (device=mps)")
    sharing = config.runs_per_gpu
    require("runs_per_gpu", sharing, sharing != "auto", "1 or more, as a Mac does not tell a GPU's memory (device=mps)")
    require("gpus_per_run", config.gpus_per_run, config.gpus_per_run == 1, "1, as a Mac has one GPU (device=mps)")


@lru_cache(maxsize=1)
def _has_gpu(environ: tuple[tuple[str, str], ...]) -> bool:
    return bool(visible_gpus(dict(environ)))

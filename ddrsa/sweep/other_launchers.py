"""Options of Hydra's other launchers in a config that one of this project's launchers reads.

An app's config has the block of the launcher that it was written for, under the same key `hydra.launcher`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ddrsa.checks import did_you_mean
from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text

log = logging.getLogger(__name__)

# hydra-submitit-launcher's. submitit has those of Slurm alone by these names with slurm_ before them.
_SUBMITIT = frozenset(
    {"timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name", "stderr_to_stdout"}
)
_SLURM = frozenset(
    {"partition", "qos", "comment", "constraint", "exclude", "gres", "cpus_per_gpu", "gpus_per_task", "mem_per_gpu"}
    | {"mem_per_cpu", "account", "signal_delay_s", "max_num_timeout", "additional_parameters", "array_parallelism"}
    | {"setup", "srun_args", "python", "exclusive", "time", "job_name", "nodelist", "dependency", "reservation"}
)
# What submitit's AutoExecutor takes by its own name, and hydra-submitit-launcher hands on.
_HANDED_ON = _SUBMITIT | _SLURM - {"python"}
_JOBLIB = frozenset(
    {"backend", "prefer", "require", "verbose", "pre_dispatch", "batch_size", "temp_folder", "max_nbytes", "mmap_mode"}
    | {"inner_max_num_threads"}
)
_RAY = frozenset(
    {"ray", "env_setup", "stop_cluster", "sync_up", "sync_down", "logging", "create_update_cluster"}
    | {"teardown_cluster"}
)
_RQ = frozenset({"enqueue", "queue", "redis", "stop_after_enqueue", "wait_polling"})
_OTHERS = _SUBMITIT | _SLURM | _JOBLIB | _RAY | _RQ | {"submitit_folder", "environment", "submitit"}


def own_options(name: str, schema: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options` that the launcher `name` has, with others taken for what they mean here.

    schema: the dataclass of its config. A line says what was taken for what, and what was left out.
    Raises ConfigError on a key that no launcher has, and on a value of joblib's whose unit is another here.
    """
    known = {each.name for each in fields(schema)} - {"_target_"}
    own = {key: value for key, value in options.items() if key in known}
    others = {key: value for key, value in options.items() if key not in known}
    for key in others:
        if key not in _OTHERS:
            hint = did_you_mean(key, known)
            raise ConfigError(f"hydra.launcher.{key}: hydra/launcher={name} has no such option{hint}")
    if own.get("timeout") is not None and (of_joblib := [key for key in others if key in _JOBLIB]):
        raise ConfigError(
            f"hydra.launcher.timeout={own['timeout']} stands beside options of joblib's ({', '.join(of_joblib)}), "
            f"which has it in seconds: hydra/launcher={name} has it in minutes for a run, without them"
        )
    taken = _for_slurm(own, others) if "submitit" in known else _for_here(own, others)
    left_out = [key for key in others if key not in taken]
    parts = []
    if taken:
        parts.append(
            f"takes {', '.join(f'{key}={_shown(others[key])} as {meaning}' for key, meaning in taken.items())}"
        )
    if left_out:
        parts.append(f"leaves out {', '.join(left_out)}")
    if parts:
        log.info("hydra/launcher=%s %s: options of another launcher", name, " and ".join(parts))
    return own


def _for_here(own: dict[str, Any], others: Mapping[str, Any]) -> dict[str, str]:
    """Change `own`; which of `others` were taken, and as what."""
    minutes = others.get("timeout_min")
    if minutes is None or own.get("timeout") is not None:
        return {}
    own["timeout"] = minutes
    return {"timeout_min": "timeout"}


def _for_slurm(own: dict[str, Any], others: Mapping[str, Any]) -> dict[str, str]:
    settings = dict(own.get("submitit") or {})
    taken = {}
    for key in others:
        if key in _HANDED_ON and others[key] is not None:
            place = key if key in _SUBMITIT else f"slurm_{key}"
            settings[place] = others[key]
            taken[key] = f"submitit.{place}"
    own["submitit"] = settings
    return taken


def _shown(value: Any) -> str:
    return override_text(value) if isinstance(value, str | int | float | bool | None) else "..."

"""Presets in conf/experiment/, and the grids that they describe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ddrsa import task
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.conf_dir import conf_dir
from ddrsa.menu.project import choices
from ddrsa.sweep.plan.grid import grid
from ddrsa.sweep.process.cores import job_count

assert task  # it makes the project's resolvers, schema and plugins known to Hydra

WORK = ("dataset", "model", "batch_size", "lookback", "horizon", "num_epochs")
DEFAULTS = ("batch_size", "learning_rate", "dropout", "nasa_weight", "seed", "num_epochs")
_GROUPS = ("dataset", "model")


@dataclass(frozen=True)
class Plan:
    """A sweep that has not been started.

    overrides: as on the command line, after `train.py -m`.
    fixed: those of them that have one value.
    runs: of each run the keys of its config that decide how long it takes, `WORK`.
    groups: the swept values of the data set and the model, key to values: {"model": ["lstm", "gru"]}.
    selected: whether `only` or `exclude` leaves out some of the runs.
    defaults: the top-level keys of the config that are the same for all runs unless they are swept.
    cache_dir: where the project keeps what it can make again.
    at_once: how many runs go at once on this machine.
    """

    overrides: tuple[str, ...]
    fixed: tuple[str, ...]
    runs: tuple[dict[str, Any], ...]
    groups: dict[str, list[str]]
    selected: bool
    defaults: dict[str, Any]
    cache_dir: Path
    at_once: int

    @property
    def shown_count(self) -> str:
        """The number of runs, in words."""
        count = f"{len(self.runs)} run{'s' * (len(self.runs) != 1)}"
        return f"at most {count}" if self.selected else count


@dataclass(frozen=True)
class Preset:
    """A file of conf/experiment/ that describes a sweep.

    question: the first line of its comment.
    """

    name: str
    question: str

    @property
    def override(self) -> str:
        """The override that chooses it on the command line."""
        return f"experiment={self.name}"


def presets() -> list[Preset]:
    """The presets of conf/experiment/ that sweep: a file without values to sweep over changes a single run."""
    found = []
    for name in choices("experiment"):
        file = conf_dir() / "experiment" / f"{name}.yaml"
        preset = OmegaConf.load(file)
        # What runs the user's own scripts has to be told where they are.
        if "scripts" not in preset and OmegaConf.select(preset, "hydra.sweeper.params"):
            found.append(Preset(name, _question(file)))
    return found


def plan_of(overrides: Sequence[str]) -> Plan:
    """The sweep that `train.py -m` with these overrides is. Composes few configs and reads no data.

    Raises ConfigError and Hydra's errors where there is no such sweep.
    """
    parser = OverridesParser.create()
    parsed = parser.parse_overrides(list(overrides))
    fixed = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
    whole = _composed(tuple(fixed))
    params = parser.parse_overrides([f"{key}={value}" for key, value in (whole.hydra.sweeper.params or {}).items()])
    jobs = grid([*params, *parsed], whole.zip)
    shared = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    n_jobs = job_count(whole.hydra.launcher.get("n_jobs"), joblib.cpu_count())
    return Plan(
        overrides=tuple(overrides),
        fixed=tuple(fixed),
        runs=tuple(_work(whole, [override for override in job if override not in shared], fixed) for job in jobs),
        groups=_swept_groups([override for job in jobs for override in job if override not in shared]),
        selected=bool(whole.only or whole.exclude),
        defaults={key: whole[key] for key in DEFAULTS},
        cache_dir=Path(str(whole.cache_dir)),
        at_once=max(min(n_jobs, len(jobs)), 1),
    )


def _swept_groups(overrides: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for key, _, value in (override.partition("=") for override in overrides if override.startswith(_GROUPS)):
        found.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in found.items()}


def _work(whole: DictConfig, own: Sequence[str], fixed: Sequence[str]) -> dict[str, Any]:
    """`WORK` of a run with its `own` overrides, in the sweep whose config is `whole`."""
    groups = [override for override in own if override.startswith(_GROUPS)]
    # Not with the whole preset: its values are replaced by the run's below, and so few configs have to be composed.
    source = whole if not groups else _composed((*(text for text in fixed if text.startswith(_GROUPS)), *groups))
    work: dict[str, Any] = {key: OmegaConf.to_container(source[key], resolve=True) for key in ("dataset", "model")}
    values = dict(override.split("=", 1) for override in own if "=" in override)
    return work | {key: int(values.get(key, whole[key])) for key in WORK if key not in work}


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


def _question(file: Path) -> str:
    comments = [line.removeprefix("#").strip() for line in file.read_text().splitlines() if line.startswith("#")]
    return next((line for line in comments if line and not line.startswith("@package")), "")

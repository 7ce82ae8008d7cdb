"""The command line of predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import platformdirs
import torch
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.survival.rivals import MISS_RATES, POLICIES
from ddrsa.time_scale import TIME_UNITS

PARTS = ("all", "training", "validation", "test", "official")
ROWS = ("last", "all")
EXPLAIN = ("due", "all", "none")
INTERVALS = ("model", "conformal")

USAGE = """\
usage: {command} checkpoint=RUN_DIR_OR_FILE [dataset=NAME] [dataset.KEY=VALUE ...] [KEY=VALUE ...]

  checkpoint    a run directory (then its checkpoint_best.pt), or a checkpoint
  dataset.KEY   where the units come from; what is not given is as in the training of the model
  part          all (default) | training | validation | test | official
  alive         true: the units are still running; the data need not, and do not, say when they fail
  rows          last (default): the last row of each unit | all
  before        with rows=last, of units that were seen to fail: how long before the failure the forecast is made; by
                default half the horizon, 0: at the row of the failure
  within        the probability of failing within these times: 7d, or [1d,7d,30d]; numbers where rows have no dates
  time_unit     days | hours | minutes | seconds; by default what suits the horizon
  policy        oti (default) | time_to_event_threshold | failure_probability
  cost          of oti: the cost of a missed failure as useful life: steps such as 40, or a time such as 10d
  threshold     of the other two: a time (steps, or 3d), or a probability; window: of failure_probability, a time
  miss_rate     5% | 10%: the threshold tuned for it on the run's validation units. Without cost, threshold and
                miss_rate the threshold is that of policy.guarantee or policy.costs of the run, or else 5%
  level         of the interval of the RUL, 0.8
  explain       due (default) | all | none: of which units the sensors that drive the forecast are named
  plots         a folder for a picture of each unit, with rows=last
  interval      model (default): the forecast's own interval | conformal: the one that was widened or narrowed to hold
                the RUL of that share of the units that the run kept for it
  output        FILE.csv, FILE.csv.gz or FILE.parquet; without it a table is printed, without the hazards
  device        cpu (default) | cuda
  data_dir, cache_dir"""


@dataclass
class PredictOptions:
    """The keys of the command line, but for `dataset`; their types are checked by OmegaConf."""

    checkpoint: str | None = None
    part: str = "all"
    alive: bool = False
    rows: str = "last"
    policy: str = "oti"
    before: Any = None
    within: Any = None
    time_unit: str | None = None
    cost: Any = None
    threshold: Any = None
    window: Any = None
    miss_rate: str | None = None
    level: float = 0.8
    explain: str = "due"
    plots: str | None = None
    interval: str = "model"
    output: str | None = None
    device: str = "cpu"
    data_dir: str = field(default_factory=lambda: os.environ.get("DDRSA_DATA_DIR", "data"))
    cache_dir: str = field(
        default_factory=lambda: os.environ.get("DDRSA_CACHE_DIR") or platformdirs.user_cache_dir("ddrsa")
    )

    def check(self) -> None:
        """Raise ConfigError where a value is not allowed."""
        allowed = {
            "part": PARTS,
            "rows": ROWS,
            "policy": POLICIES,
            "device": ("cpu", "cuda"),
            "explain": EXPLAIN,
            "interval": INTERVALS,
        }
        for key, values in allowed.items():
            require(key, getattr(self, key), getattr(self, key) in values, ", ".join(values))
        for key, values in {"miss_rate": tuple(MISS_RATES), "time_unit": TIME_UNITS}.items():
            value = getattr(self, key)
            require(key, value, value is None or value in values, ", ".join(values))
        if self.checkpoint is None:
            raise ConfigError("checkpoint is missing: a run directory or one of its .pt files")
        require("level", self.level, 0 < self.level < 1, "above 0 and below 1")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("device=cuda: torch cannot use a GPU here; allowed is cpu")
        holds = self.output is None or self.output.endswith((".csv", ".csv.gz", ".parquet"))
        require("output", self.output, holds, "a file that ends in .csv, .csv.gz or .parquet")
        unused = {"oti": "threshold", "time_to_event_threshold": "cost", "failure_probability": "cost"}[self.policy]
        if getattr(self, unused) is not None:
            raise ConfigError(f"{unused}={getattr(self, unused)}: policy={self.policy} has no {unused}")
        if self.window is not None and (self.policy != "failure_probability" or self.threshold is None):
            raise ConfigError(f"window={self.window}: it belongs to policy=failure_probability with a threshold")
        if self.plots is not None and self.rows != "last":
            raise ConfigError(f"plots={self.plots}: it belongs to rows=last")
        if self.before is not None and (self.rows != "last" or self.alive):
            raise ConfigError(f"before={self.before}: it belongs to rows=last of units that were seen to fail")


def parse_arguments(arguments: Sequence[str]) -> tuple[PredictOptions, dict[str, Any]]:
    """The options, and the keys of `dataset` that are given. Raises ConfigError for what is not allowed."""
    own: dict[str, Any] = {}
    dataset: dict[str, Any] = {}
    kinds = {option.name: option.type for option in fields(PredictOptions)}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise ConfigError(f"argument {argument!r}: KEY=VALUE is expected")
        if key == "dataset":
            dataset["name"] = value
        elif key.startswith("dataset."):
            dataset[key.removeprefix("dataset.")] = _parsed(value)
        elif key not in kinds:
            raise ConfigError(f"{key} is no key of ddrsa.predict: allowed are dataset, dataset.KEY, {', '.join(kinds)}")
        else:
            # A path is what it says, whatever YAML would make of it.
            own[key] = value if str(kinds[key]).startswith("str") else _parsed(value)
    try:
        merged = OmegaConf.merge(OmegaConf.structured(PredictOptions), own)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    options = OmegaConf.to_object(merged)
    assert isinstance(options, PredictOptions)
    options.check()
    return options, dataset


def _parsed(value: str) -> Any:
    """As in a config file, or the text where it is none: *.csv."""
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value

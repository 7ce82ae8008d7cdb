"""The top-level keys of the config: their types, and which of them are no part of what a run is."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

# Where a run is done, and how the sweep is done that it belongs to: neither changes which run it is.
_OF_THE_MACHINE = {"identity": False}
_OF_THE_SWEEP = {"identity": False, "sweep": True}


@dataclass
class Schema:
    """The types of the top-level keys, for Hydra, which then refuses any other key and any value of another type."""

    dataset: Any = MISSING
    model: Any = MISSING
    batch_size: int = MISSING
    learning_rate: float = MISSING
    loss: str = MISSING
    lambda_param: float = MISSING
    nasa_weight: float = MISSING
    ranking_weight: float = MISSING
    calibration: str = MISSING
    dropout: float = MISSING
    num_epochs: int = MISSING
    patience: int = MISSING
    weight_decay: float = MISSING
    grad_clip: float = MISSING
    schedule: str = MISSING
    warmup_epochs: float = MISSING
    lookback: int = MISSING
    horizon: int = MISSING
    evaluation_horizon: int | None = None
    seed: int = MISSING
    policy: Any = None
    num_folds: int | None = None
    fold: int = 0
    device: str = field(default="auto", metadata=_OF_THE_MACHINE)
    gpus: Any = field(default="auto", metadata=_OF_THE_MACHINE)
    runs_per_gpu: Any = field(default=1, metadata=_OF_THE_MACHINE)
    kernel: str = field(default="auto", metadata=_OF_THE_MACHINE)
    gpus_per_run: int = field(default=1, metadata=_OF_THE_MACHINE)
    gpu_index: int | None = field(default=None, metadata=_OF_THE_MACHINE)
    data_dir: str = field(default=MISSING, metadata=_OF_THE_MACHINE)
    cache_dir: str = field(default=MISSING, metadata=_OF_THE_MACHINE)
    retries: int = field(default=0, metadata=_OF_THE_SWEEP)
    timeout: float | None = field(default=None, metadata=_OF_THE_SWEEP)
    max_failures: int | None = field(default=None, metadata=_OF_THE_SWEEP)
    deadline: str | None = field(default=None, metadata=_OF_THE_SWEEP)
    budget: str | None = field(default=None, metadata=_OF_THE_SWEEP)
    only: str | None = field(default=None, metadata=_OF_THE_SWEEP)
    exclude: str | None = field(default=None, metadata=_OF_THE_SWEEP)
    zip: list[Any] = field(default_factory=list, metadata=_OF_THE_SWEEP)
    dry_run: bool = field(default=False, metadata=_OF_THE_SWEEP)
    scripts: Any = None
    visualize: bool = field(default=False, metadata=_OF_THE_SWEEP)
    tracking: Any = field(default=None, metadata=_OF_THE_SWEEP)
    report: bool = field(default=False, metadata=_OF_THE_SWEEP)
    notify: Any = field(default=None, metadata=_OF_THE_SWEEP)


NOT_IDENTITY = frozenset(key.name for key in fields(Schema) if not key.metadata.get("identity", True)) | {"hydra"}
"""The keys that do not change which run it is."""

OF_THE_SWEEP = frozenset(key.name for key in fields(Schema) if key.metadata.get("sweep", False))
"""Those of them that a single run has no use for."""

"""An app of a package, started by `python -m study.app`: a structured config, no file, relative imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from .training import train


class Schedule(Enum):
    CONSTANT = 1
    COSINE = 2


def triple(value: float) -> float:
    return 3 * value


def function(name: str) -> Callable[[float], float]:
    return {"triple": triple, "once": lambda value: value, "twice": lambda value: 2 * value}[name]


OmegaConf.register_new_resolver("function", function)


@dataclass
class Config:
    rate: float = 0.1
    steps: int = 6
    pause: float = 0.1
    schedule: Schedule = Schedule.CONSTANT
    cache: Path = Path("cache/files")
    key: bytes = b"key"
    names: dict[int, str] = field(default_factory=lambda: {1: "one", 2: "two"})
    scale: Any = "${function:triple}"


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg: Config) -> float:
    train(Path(HydraConfig.get().runtime.output_dir), cfg.steps, cfg.pause)
    assert isinstance(cfg.schedule, Schedule)
    assert isinstance(cfg.cache, Path)
    scaled: float = cfg.scale(cfg.rate)
    return scaled * cfg.schedule.value


if __name__ == "__main__":
    main()

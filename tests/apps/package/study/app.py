"""An app of a package, started by `python -m study.app`: a structured config, no file, relative imports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

from .training import train


@dataclass
class Config:
    rate: float = 0.1
    steps: int = 6
    pause: float = 0.1


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg: Config) -> float:
    train(Path(HydraConfig.get().runtime.output_dir), cfg.steps, cfg.pause)
    return cfg.rate


if __name__ == "__main__":
    main()

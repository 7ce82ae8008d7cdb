"""In the manner of Hydra's own example for Optuna: a function of two numbers, in an app without a line of ddrsa."""

import json
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def sphere(cfg: DictConfig) -> float:
    directory = Path(HydraConfig.get().runtime.output_dir)
    checkpoint = directory / "checkpoint.json"
    done = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
    for step in range(done + 1, cfg.steps + 1):
        time.sleep(cfg.pause)
        with (directory / "steps.txt").open("a") as stream:
            print(step, file=stream)
        checkpoint.write_text(json.dumps(step))
    x: float = cfg.x
    y: float = cfg.y
    return x**2 + y**2


if __name__ == "__main__":
    sphere()

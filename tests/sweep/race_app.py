"""A Hydra task for races: its value is x with a noise that its seed draws."""

import json
import time
from pathlib import Path

import hydra
import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.sweep.resume import resumable
from ddrsa.sweep.verify.task import say


@hydra.main(config_path=None, config_name="race_app", **VERSION_BASE)
def main(config: DictConfig) -> float:
    directory = Path(HydraConfig.get().runtime.output_dir)
    say("begins", config.x, directory=directory.name)
    do = json.loads(Path("do.json").read_text()).get(str(config.x))
    if do == "raise":
        raise ValueError("not this one")
    if do == "nan":
        return float("nan")
    if do == "slow":
        time.sleep(1.0)
    noise = np.random.default_rng([config.seed, int(10 * config.x), config.fold]).normal()
    return float(config.sign * (config.x + config.seed + 0.3 * noise))


if __name__ == "__main__":
    run_cli(resumable(main))

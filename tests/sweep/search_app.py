"""A Hydra task that reports to its search: it finds the lowest (x - 3)^2 + 1 / epoch."""

import json
import os
import signal
import time
from pathlib import Path

import hydra
import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.sweep import constrain, report
from ddrsa.sweep.resume import resumable
from ddrsa.sweep.verify.task import first_time, say, steps


@hydra.main(config_path=None, config_name="search_app", **VERSION_BASE)
def main(config: DictConfig) -> object:
    directory = Path(HydraConfig.get().runtime.output_dir)
    say("begins", config.x, directory=directory.name)
    do = json.loads(Path("do.json").read_text()).get(str(config.x))
    if do == "raise":
        raise ValueError("not this one")
    while do == "wait for all" and Path("events.txt").read_text().count('"begins"') < config.starts:
        time.sleep(0.05)
    if config.get("limit") is not None:
        constrain("x", config.limit - config.x)
    for done in steps(config.x, directory, config.count, config.seconds):
        if do == "kill once" and first_time(directory):
            os.kill(os.getpid(), signal.SIGKILL)
        if report((config.x - 3) ** 2 + 1 / done, done):
            raise optuna.TrialPruned
    value = (config.x - 3) ** 2 + 1 / config.count
    return [value, abs(config.x)] if config.objectives == 2 else value


if __name__ == "__main__":
    run_cli(resumable(main))

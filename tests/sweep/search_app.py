"""A Hydra task that has nothing of ddrsa but the plugins and `report`: it finds the lowest (x - 3)^2 + 1 / epoch."""

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
from ddrsa.sweep import report
from ddrsa.sweep.resume import resumable


@hydra.main(version_base="1.3", config_path=None, config_name="search_app")
def main(config: DictConfig) -> object:
    directory = Path(HydraConfig.get().runtime.output_dir)
    with Path("starts.txt").open("a") as stream:
        print(json.dumps({"x": config.x, "pid": os.getpid(), "directory": directory.name}), file=stream)
    do = json.loads(Path("do.json").read_text()).get(str(config.x))
    if do == "raise":
        raise ValueError("not this one")
    while do == "wait for all" and len(Path("starts.txt").read_text().splitlines()) < config.starts:
        time.sleep(0.05)
    checkpoint = directory / "checkpoint"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    while done < config.count:
        time.sleep(config.seconds)
        done += 1
        with (directory / "epochs.txt").open("a") as stream:
            print(done, os.getpid(), file=stream)
        temporary = directory / "checkpoint.tmp"
        temporary.write_text(str(done))
        temporary.replace(checkpoint)
        if do == "kill once" and not (directory / "first").exists():
            (directory / "first").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if report((config.x - 3) ** 2 + 1 / done, done):
            raise optuna.TrialPruned
    value = (config.x - 3) ** 2 + 1 / done
    return [value, abs(config.x)] if config.objectives == 2 else value


if __name__ == "__main__":
    run_cli(resumable(main))

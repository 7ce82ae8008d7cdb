"""A Hydra task whose number depends on every one of its steps, and which tells when it is done by two at once."""

import fcntl
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.rundir.files import read_json, write_json
from ddrsa.sweep import report
from ddrsa.sweep.resume import resumable
from ddrsa.sweep.verify.task import say
from ddrsa.training.epoch_log import EpochLog, EpochRecord

SLEEP = "import time; time.sleep(600)"


def work(x: int, directory: Path, count: int, seconds: float) -> int:
    """A training with a checkpoint after each step; the number is made of all steps."""
    try:
        last = read_json(directory / "checkpoint_last.json")
    except ValueError as error:
        print(f"{error}: it begins anew")
        last = None
    last = last or {"step": 0, "state": f"x={x}"}
    rows = EpochLog(directory / "training_log.csv", last["step"])
    for step in range(last["step"] + 1, count + 1):
        time.sleep(seconds)
        last = {"step": step, "state": hashlib.sha256(f"{last['state']} {step}".encode()).hexdigest()}
        number = int(last["state"][:8], 16)
        rows.append(EpochRecord(step, number, number / 3, number / 7, number / 9, 0.1, 0.0))
        write_json(directory / "checkpoint_last.json", last)
        say("step", x, step=step)
        report(number, step)
    return int(last["state"][:8], 16)


@hydra.main(config_path=".", config_name="chaos_app", **VERSION_BASE)
def main(config: DictConfig) -> int:
    directory = Path(HydraConfig.get().runtime.output_dir)
    with Path(f"busy-{directory.name}").open("w") as busy:
        try:
            fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("twice", config.x)
        say("begins", config.x)
        if config.children:
            subprocess.Popen([sys.executable, "-S", "-c", SLEEP])
            subprocess.Popen([sys.executable, "-S", "-c", SLEEP], start_new_session=True)
        number = work(config.x, directory, config.count, config.seconds)
        say("ends", config.x)
    return number


if __name__ == "__main__":
    run_cli(resumable(main))

"""A Hydra task that goes on epoch by epoch, as far as the file `allowed` in its working directory says."""

import logging
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.rundir.directory import RunDirectory

log = logging.getLogger(__name__)


def allowed() -> int:
    try:
        return int(Path("allowed").read_text() or 0)
    except FileNotFoundError:
        return 1000


@hydra.main(config_path=".", config_name="live_app", **VERSION_BASE)
def main(config: DictConfig) -> float:
    directory = RunDirectory(HydraConfig.get().runtime.output_dir)
    curve = directory.path / "metrics.csv"
    loss = 0.0
    for epoch in range(1, config.epochs + 1):
        while allowed() < epoch:
            time.sleep(0.02)
        if epoch == 2 and config.x == 13:
            log.error("\x1b[31mabout to fail\x1b[0m <img src=x onerror=alert(1)>")
            raise ValueError("thirteen <b>brings</b> bad luck")
        loss = config.x + 1 / epoch
        new = not curve.exists()
        with curve.open("a") as stream:
            stream.write(("epoch,loss\n" if new else "") + f"{epoch},{loss}\n")
        if directory.status.exists():  # of a launcher that writes one
            directory.update(epoch=epoch, num_epochs=config.epochs)
        time.sleep(config.seconds)
    return loss


if __name__ == "__main__":
    run_cli(main)

"""Train one model, or sweep many with -m: python train.py -m model=lstm,gru batch_size=32,64

python train.py resume=DIR goes on with the sweep in DIR.
"""

import hydra
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.sweep.resume import resumable
from ddrsa.task import run_task


@hydra.main(config_path="conf", config_name="config", **VERSION_BASE)
def main(config: DictConfig) -> float | None:
    return run_task(config)


if __name__ == "__main__":
    run_cli(resumable(main))

"""Read every run of a sweep and say which configuration is best: python analyze.py hydra.sweep.dir=DIR"""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.analysis.command import analyze, read_options
from ddrsa.cli import run_cli


@hydra.main(config_path="conf", config_name="analysis", version_base="1.3")
def main(config: DictConfig) -> None:
    analyze(read_options(config, HydraConfig.get().sweep.dir))


if __name__ == "__main__":
    run_cli(main)

"""Read every run of a sweep and say which configuration is best: python analyze.py hydra.sweep.dir=DIR

With --json (or json=true) the answer is printed for machines, and nothing else.
"""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.analysis.command import analyze, read_options
from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE


@hydra.main(config_path="conf", config_name="analysis", **VERSION_BASE)
def main(config: DictConfig) -> None:
    analyze(read_options(config, HydraConfig.get().sweep.dir))


if __name__ == "__main__":
    # Hydra takes no flags but its own.
    sys.argv = [sys.argv[0], *("json=true" if argument == "--json" else argument for argument in sys.argv[1:])]
    run_cli(main)

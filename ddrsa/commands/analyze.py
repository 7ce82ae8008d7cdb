"""Read every run of a sweep and say which configuration is best: ddrsa analyze hydra.sweep.dir=DIR

With --json (or json=true) the answer is printed for machines, and nothing else. In a checkout it is
`python analyze.py` as well.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.analysis.command import analyze, read_options
from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.conf_dir import conf_dir
from ddrsa.started import absolute_config_path
from ddrsa.texts import plain_logs


@hydra.main(config_path=str(conf_dir()), config_name="analysis", **VERSION_BASE)
def hydra_main(config: DictConfig) -> None:
    """One analysis."""
    analyze(read_options(config, HydraConfig.get().sweep.dir))


def main() -> NoReturn:
    """Do what `sys.argv` says and exit."""
    # Hydra takes no flags but its own.
    sys.argv[1:] = ["json=true" if argument == "--json" else argument for argument in sys.argv[1:]]
    absolute_config_path()
    plain_logs()
    run_cli(hydra_main)

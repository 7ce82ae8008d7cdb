"""Train one model, or sweep many with -m: ddrsa train -m model=lstm,gru batch_size=32,64

ddrsa train resume=DIR goes on with the sweep in DIR. In a checkout it is `python train.py` as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import hydra
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.conf_dir import conf_dir
from ddrsa.notify.addresses import refuse_addresses
from ddrsa.started import absolute_config_path
from ddrsa.sweep.resume import resumable
from ddrsa.task import run_task

# They say what is executed, and where: of a sweep that somebody else may have written they are not taken over.
_SCRIPT_KEYS = ("root", "jobs", "command", "python", "working_dir", "output_dir", "read_help")
SCRIPT_KEYS = tuple(f"scripts.{key}" for key in _SCRIPT_KEYS)


@hydra.main(config_path=str(conf_dir()), config_name="config", **VERSION_BASE)
def hydra_main(config: DictConfig) -> float | None:
    """One run, or one of a sweep."""
    return run_task(config)


def main() -> NoReturn:
    """Do what `sys.argv` says and exit."""
    absolute_config_path()
    run_cli(_without_addresses(resumable(hydra_main, SCRIPT_KEYS)))


def _without_addresses(run: Callable[[], None]) -> Callable[[], None]:
    def main() -> None:
        refuse_addresses(sys.argv[1:])
        run()

    return main

"""Training from a Python session or a notebook, without a command line."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ddrsa.cli import as_usage_error
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.conf_dir import conf_dir
from ddrsa.errors import ConfigError, DataError
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.task import check_device, check_single_run, run_task

if TYPE_CHECKING:
    from ddrsa.predict.forecaster import Forecaster


@dataclass(frozen=True)
class TrainedModel:
    """A completed run. path: its directory. metrics: the content of its test_metrics.json."""

    path: Path
    metrics: dict[str, Any] = field(repr=False)

    def load(self, *, device: str = "cpu") -> Forecaster:
        """As `ddrsa.load` of its directory."""
        from ddrsa.predict.forecaster import load

        return load(self.path, device=device)


def train(overrides: Sequence[str] = (), *, config_dir: Path | str | None = None) -> TrainedModel:
    """Do one run in this process: that of `python train.py` with the same overrides, into a directory like its own.

    overrides: such as "model=gru" and "hydra.sweep.dir=DIR". A run that is complete there is returned as it is, and one
    that was interrupted goes on. config_dir: a folder of config files beside the project's, as `--config-dir`.

    What it logs goes to run.log, and to stdout unless the session has a logging of its own. Hydra's state, the random
    generators and the number of threads are afterwards as they were before.

    Raises ConfigError and DataError for what the user can mend.
    """
    if isinstance(overrides, str):
        raise ConfigError(f"overrides={overrides!r}: a list such as [{overrides!r}] is expected")
    with _hydra_of_its_own():
        try:
            texts = [*_search_path(config_dir), *overrides]
            _check(texts)
            directory = _run(texts)
        except (HydraException, OmegaConfBaseException) as error:
            raise as_usage_error(error) from error
    metrics = directory.read_test_metrics()
    if metrics is None:
        raise DataError(f"{directory.test_metrics} is gone: the run had just completed")
    return TrainedModel(directory.path, metrics)


@contextmanager
def _hydra_of_its_own() -> Iterator[None]:
    """Hydra with the project's config; what the session had set up of Hydra is put back."""
    current, version = GlobalHydra.instance().hydra, VersionBase.instance().version_base
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), job_name="train", **VERSION_BASE):
            yield
    finally:
        GlobalHydra.instance().hydra = current
        VersionBase.instance().version_base = version


def _search_path(config_dir: Path | str | None) -> list[str]:
    if config_dir is None:
        return []
    folder = Path(config_dir).resolve()
    if not folder.is_dir():
        raise ConfigError(f"config_dir={config_dir}: there is no such folder")
    return [f"hydra.searchpath=[{QuotedString(f'file://{folder}', Quote.double).with_quotes()}]"]


def _check(overrides: list[str]) -> None:
    """Raise ConfigError where this is not one run of a model, or its config cannot be used."""
    flags = [override for override in overrides if override.startswith("-")]
    if flags:
        raise ConfigError(f"{flags[0]}: ddrsa.train takes overrides such as model=gru, and no flags")
    for override in OverridesParser.create().parse_overrides(overrides):
        if override.is_sweep_override():
            raise ConfigError(f"{override.input_line}: ddrsa.train does one run, and these are several values")
    config = compose("config", overrides, return_hydra_config=True)
    if config.scripts is not None or config.hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("ddrsa.train does one run of a model: sweeps and scripts need the command line")
    if config.dry_run:
        raise ConfigError("dry_run=true: ddrsa.train does the run; python train.py shows what it would be")
    check_single_run(config)
    check_device(config)


def _run(overrides: list[str]) -> TrainingDirectory:
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    done: list[TrainingDirectory] = []

    def task(config: DictConfig) -> float | None:
        directory = TrainingDirectory(HydraConfig.get().runtime.output_dir)
        with _logged(directory), _generators_kept():
            result = run_task(config)
        done.append(directory)
        return result

    # Without Hydra's own logging, which would take the place of the session's.
    hydra.run("config", task, overrides, with_log_configuration=False)
    return done[0]


@contextmanager
def _logged(directory: TrainingDirectory) -> Iterator[None]:
    """Within the block, the package logs to run.log, and where the session shows no log, to stdout."""
    package, details = logging.getLogger("ddrsa"), logging.getLogger("ddrsa.run.file")
    file = logging.FileHandler(directory.log)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handlers: list[logging.Handler] = [file]
    if not package.hasHandlers():
        console = logging.StreamHandler(sys.stdout)
        console.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        handlers.append(console)
    before = (package.level, details.level, details.propagate)
    package.setLevel(logging.INFO)
    details.setLevel(logging.INFO)
    details.propagate = False
    for handler in handlers:
        package.addHandler(handler)
    details.addHandler(file)
    try:
        yield
    finally:
        details.removeHandler(file)
        for handler in handlers:
            package.removeHandler(handler)
        package.setLevel(before[0])
        details.setLevel(before[1])
        details.propagate = before[2]
        file.close()


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Python's, numpy's and torch's random generators and torch's threads are afterwards as they were before."""
    from ddrsa.sweep.process.cores import share_cores

    share_cores()
    import torch

    python, numpy_state, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_num_threads(threads)

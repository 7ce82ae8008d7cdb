"""The configs of a sweep's jobs, composed on all cores: Hydra takes a twentieth of a second for each."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor

import cloudpickle
import joblib
from hydra.types import HydraContext
from omegaconf import DictConfig

from ddrsa.sweep.forkserver import PR_SET_PDEATHSIG

# Below, the processes cost more than they save.
MANY = 16


class Composer:
    """Composes the configs of jobs, as `config_loader.load_sweep_config` does."""

    def __init__(self, config: DictConfig, context: HydraContext) -> None:
        """config: of the sweep."""
        self.config = config
        self.context = context

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The config of one job. Raises Hydra's errors."""
        return self.context.config_loader.load_sweep_config(self.config, list(overrides))

    def compose_all(self, jobs: Sequence[Sequence[str]]) -> Generator[DictConfig, None, None]:
        """The config of each job, in their order. Raises Hydra's errors when it comes to that job."""
        cores = joblib.cpu_count()
        if len(jobs) < MANY or cores == 1 or sys.platform != "linux":
            yield from map(self.compose, jobs)
            return
        global _composer
        # Forked processes have it without its being pickled, which not every resolver or callback can be.
        _composer = self
        fork = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(cores, mp_context=fork, initializer=_end_with, initargs=(os.getpid(),))
        try:
            for overrides, pickled in zip(jobs, pool.map(_composed, jobs, chunksize=4), strict=True):
                # What cannot be composed there is composed again here, for its error.
                yield self.compose(overrides) if pickled is None else cloudpickle.loads(pickled)
        finally:
            _composer = None
            pool.shutdown(cancel_futures=True)


_composer: Composer | None = None


def _composed(overrides: Sequence[str]) -> bytes | None:
    assert _composer is not None
    try:
        return cloudpickle.dumps(_composer.compose(overrides))
    except Exception:
        return None


def _end_with(parent: int) -> None:
    """Ctrl+C is the parent's to handle, and with the parent this process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)

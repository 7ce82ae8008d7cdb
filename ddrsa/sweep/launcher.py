"""`hydra/launcher=supervised`: Hydra's launcher plugin around the supervisor."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import joblib
import psutil
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from ddrsa.better import MAXIMIZE, MINIMIZE
from ddrsa.checks import require
from ddrsa.cli import telling_errors
from ddrsa.compat_hydra import reports_errors_itself
from ddrsa.errors import ConfigError
from ddrsa.rundir.files import make_directory, remove_leftovers, require_writable
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import RESULTS
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.planned_run import PlannedRun, plan_runs
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.process.attempt_server import AttemptServer
from ddrsa.sweep.process.client import ProcessServer
from ddrsa.sweep.process.context import Context, pickle_context
from ddrsa.sweep.process.cores import job_count
from ddrsa.sweep.show.estimate import shown_duration
from ddrsa.sweep.show.progress import TerminalProgress
from ddrsa.sweep.show.run_view import run_seconds
from ddrsa.sweep.supervise.events import Observers, Outcome, SweepObserver
from ddrsa.sweep.supervise.failures import SweepFailed, SweepInterrupted, SweepUnfinished, failed_runs
from ddrsa.sweep.supervise.job_return import RunReturn
from ddrsa.sweep.supervise.record import SweepRecord, sweep_log
from ddrsa.sweep.supervise.results import renew_results
from ddrsa.sweep.supervise.session import SearchNotes, SweepSession
from ddrsa.sweep.supervise.supervisor import Supervisor
from ddrsa.sweep.supervise.timed import Timed
from ddrsa.sweep.time_limit import time_limit
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

_KEPT_CONFIG = ".hydra"  # of each run, where everybody looks for it
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"

# What a run takes at the least, where it is not known yet: a process with torch.
MEMORY_OF_A_RUN = 400 * 2**20


class SupervisedLauncher(Launcher):
    """Runs the jobs of a sweep in processes of their own, and loses none of them."""

    runs_here = True  # on this machine, whose cores and memory they share

    def __init__(
        self,
        n_jobs: int | None = -1,
        retries: int = 0,
        timeout: float | None = None,
        max_failures: int | None = None,
        deadline: str | None = None,
        budget: str | None = None,
        preload: Sequence[str] = (),
        identity: str | None = None,  # this and the next are read by `plan_runs`
        not_identity: Sequence[str] = (),
        optional: bool = False,  # read by `plan_runs` too
        observers: Sequence[str] = (),
        rank_by: Mapping[str, str] | None = None,
        value_name: str | None = None,
        direction: str | None = None,
        comparable_by: str | None = None,
        kind_keys: Sequence[str] = (),
        columns: Mapping[str, str] | None = None,
        packages: Sequence[str] = (),
    ) -> None:
        """See `ddrsa.sweep.config.SupervisedLauncherConf`. Raises ConfigError on values that are not allowed."""
        self.max_jobs = job_count(n_jobs, joblib.cpu_count())
        require("hydra.launcher.retries", retries, retries >= 0, "0 or more")
        require("hydra.launcher.timeout", timeout, timeout is None or timeout > 0, "above 0, or null")
        holds = max_failures is None or max_failures >= 1
        require("hydra.launcher.max_failures", max_failures, holds, "1 or more, or null")
        holds = direction in (None, MINIMIZE, MAXIMIZE)
        require("hydra.launcher.direction", direction, holds, f"{MINIMIZE}, {MAXIMIZE} or null")
        self.limit = time_limit(deadline, budget)
        self.options: dict[str, Any] = {
            "retries": retries,
            "timeout": None if timeout is None else 60 * timeout,
            "max_failures": max_failures,
        }
        self.preload = list(preload)
        self.identity = identity
        shown = {
            "not_identity": not_identity,
            "kind_keys": kind_keys,
            "rank_by": rank_by,
            "value_name": value_name,
            "direction": direction,
            "comparable_by": comparable_by,
            "columns": columns,
        }
        self.presentation = Presentation.of(shown)
        self.packages = list(packages)
        self.optional = optional
        self.observers: list[SweepObserver] = [TerminalProgress(self.presentation), *map(_observer, observers)]
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.server: AttemptServer | None = None
        self.record: SweepRecord | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra, once, before `launch`. Raises ConfigError where the launcher cannot work."""
        if os.name != "posix":  # Hydra gets joblib's in the place of `supervised`, but there are those for clusters
            raise ConfigError("this launcher needs Linux or macOS: hydra/launcher=joblib and basic work here")
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function
        if (subdir := config.hydra.get("output_subdir", _KEPT_CONFIG)) != _KEPT_CONFIG:
            log.warning(
                "hydra.output_subdir=%s: the runs keep no %s/config.yaml, by which `ddrsa analyze` and `ddrsa serve` "
                "find them; leave it as it is to have them compared",
                "null" if subdir is None else subdir,
                _KEPT_CONFIG,
            )

    def warm_up(self, preload: Sequence[str] = ()) -> None:
        """Start the process that starts the runs: it imports what they need while they are planned.

        preload: modules that it imports besides the launcher's own.
        """
        self._server(preload).warm_up()

    def _server(self, preload: Sequence[str] = ()) -> AttemptServer:
        if self.server is None:
            self.server = self.make_server([*self.preload, *preload])
        return self.server

    def make_server(self, preload: Sequence[str]) -> AttemptServer:
        """The server that does the attempts. preload: modules that it imports once for all of them."""
        return ProcessServer(self.pickled_context(), list(preload))

    def pickled_context(self) -> bytes:
        """What all runs share, for `restore_context`."""
        assert self.hydra_context is not None
        return pickle_context(Context(self.hydra_context, self.task_function, Singleton.get_state()))

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Do the jobs; the results are in their order, and those that have completed before are among them.

        Raises SweepFailed where `max_failures` was reached and SweepInterrupted after a signal; the results of the
        runs that have ended are on disk.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        with telling_errors():
            self.warm_up()
            composer = Composer(self.config, self.hydra_context.config_loader)
            returns = self.launch_runs(plan_runs(composer, job_overrides, initial_job_idx))
            failures = failed_runs(returns)
            if failures and self.config.hydra.sweeper._target_ == BASIC_SWEEPER and reports_errors_itself():
                # It would raise the error of the first, for Hydra to print its traceback.
                raise SweepFailed(failures, len(returns))
        return returns

    def launch_runs(self, runs: Sequence[PlannedRun]) -> Sequence[JobReturn]:
        """See `SessionLauncher`."""
        outcomes: dict[int, Outcome] = {}
        done_as = {run.number: run for run in runs}  # where another sweep was faster, in another directory
        with self.session(len(runs)) as session:
            session.submit(runs)
            for run, outcome in iter(session.wait, None):
                outcomes[run.number], done_as[run.number] = outcome, run
        supervisor = session.supervisor
        ordered = [outcomes.get(run.number, supervisor.not_started) for run in runs]
        returns = [RunReturn(done_as[run.number], outcome) for run, outcome in zip(runs, ordered, strict=True)]
        if supervisor.is_interrupted:
            raise SweepInterrupted(len(runs), sum(outcome.state is State.COMPLETED for outcome in ordered))
        if supervisor.out_of_time is not None:
            self._tell_of_the_time(supervisor.out_of_time, runs, returns, ordered)
        if supervisor.has_too_many_failures:
            done = [
                result for result, outcome in zip(returns, ordered, strict=True) if outcome.state is not State.PENDING
            ]
            raise SweepFailed(failed_runs(done), len(runs), stopped=supervisor.stopping)
        return returns

    def _tell_of_the_time(
        self, limit: str, runs: Sequence[PlannedRun], returns: Sequence[JobReturn], ordered: Sequence[Outcome]
    ) -> NoReturn:
        """Raise SweepFailed where runs have failed besides those that the time limit has cost, else SweepUnfinished."""
        has_failed = [
            result
            for run, result, outcome in zip(runs, returns, ordered, strict=True)
            if outcome.state.has_failed and not run.optional
        ]
        if has_failed:
            raise SweepFailed(failed_runs(has_failed), len(runs), stopped=limit)
        raise SweepUnfinished(limit, len(runs), sum(outcome.state.is_done for outcome in ordered))

    @contextmanager
    def session(
        self,
        most_runs: int,
        *,
        n_jobs: int | None = None,
        search: SearchNotes | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[SweepSession]:
        """See `SessionLauncher`."""
        assert self.config is not None
        sweep_dir = Path(str(self.config.hydra.sweep.dir)).absolute()
        server = self._server(preload)
        if not (sweep_dir / RESULTS).exists():  # otherwise nothing may be left to do: it starts with the first attempt
            server.warm_up()
        require_writable(sweep_dir, "hydra.sweep.dir")
        make_directory(sweep_dir, sweep_dir)
        remove_leftovers(sweep_dir, owned=False)
        if self.record is None or self.record.directory != sweep_dir:
            self.record = SweepRecord(sweep_dir, self.presentation, self.packages)
        self.record.search = None if search is None else search.manifest
        if n_jobs is not None and n_jobs > self.max_jobs:
            message = "hydra.sweeper.n_jobs=%d, but the launcher does %d at once: hydra.launcher.n_jobs=%d allows more"
            log.warning(message, n_jobs, self.max_jobs, n_jobs)
        n_jobs = max(min(self.max_jobs if n_jobs is None else min(n_jobs, self.max_jobs), most_runs), 1)
        with sweep_log(sweep_dir):
            if self.runs_here:
                _warn_of_too_many(n_jobs)
            log.info("%s, at most %d at once, in %s", count_of(most_runs, "run"), n_jobs, sweep_dir)
            observers = Observers([*self.observers, self.record])
            if self.limit is not None:
                log.info("%s: in %s", self.limit.text, shown_duration(max(self.limit.left(), 0.0)))
            with received_signals() as signals:
                supervisor = Supervisor(
                    server,
                    observers,
                    n_jobs=n_jobs,
                    signals=signals,
                    search=search is not None,
                    root=sweep_dir,
                    timed=None if self.limit is None else Timed(self.limit, self._kind_of, run_seconds),
                    **self.options,
                )
                session = SweepSession(supervisor, self.record, observers, most_runs, search)
                try:
                    yield session
                except BaseException:
                    server.close()
                    raise
                finally:
                    self.record.write(now_or_never=True)
                    if not self.record.has_all_results:
                        renew_results(sweep_dir)
            session.end()
            _warn_of_memory(n_jobs, supervisor.peak_memory)

    def _kind_of(self, run: PlannedRun) -> str:
        return self.presentation.kind_of(run.config)


@contextmanager
def received_signals() -> Iterator[list[int]]:
    """Within the block, SIGINT, SIGTERM and SIGHUP are appended to the yielded list instead of ending the process."""
    received: list[int] = []
    # Python lets only the main thread have handlers. What is ignored (nohup) stays ignored.
    wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    if threading.current_thread() is not threading.main_thread():
        wanted = []
    previous = {number: signal.getsignal(number) for number in wanted}
    for number, handler in previous.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _observer(path: str) -> SweepObserver:
    found = find_object("hydra.launcher.observers", path)
    try:
        observer: SweepObserver = found()
    except Exception as error:  # whatever its constructor raises
        raise ConfigError(f"hydra.launcher.observers={path}: it cannot be made: {error}") from error
    return observer


def _warn_of_too_many(n_jobs: int) -> None:
    cores, memory = joblib.cpu_count(), psutil.virtual_memory().available
    if n_jobs > cores:
        log.warning(
            "n_jobs=%d, but this machine has %s: n_jobs=%d is as fast or faster", n_jobs, count_of(cores, "core"), cores
        )
    if n_jobs * MEMORY_OF_A_RUN > memory:
        fit = max(int(memory // MEMORY_OF_A_RUN), 1)
        log.warning("%d runs at once may need more than the %.1f GiB free: try n_jobs=%d", n_jobs, memory / 2**30, fit)


def _warn_of_memory(n_jobs: int, peak_memory: int) -> None:
    total = psutil.virtual_memory().total
    if n_jobs * peak_memory > total:
        fit = max(int(total // peak_memory), 1)
        log.warning(
            "a run took up to %.1f GiB, and %d at once would need more than the machine's %.1f GiB: try n_jobs=%d",
            peak_memory / 2**30,
            n_jobs,
            total / 2**30,
            fit,
        )

"""A search: trials are asked for, done by the launcher, and told, without waiting for each other where it can."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import Trial

from ddrsa.errors import ConfigError
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.sweep.launcher import SupervisedLauncher
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.planned_run import PlannedRun, plan_runs
from ddrsa.sweep.process.cores import concurrent_runs
from ddrsa.sweep.search.batches import search_in_batches
from ddrsa.sweep.search.check import check_space
from ddrsa.sweep.search.objective import trial_values
from ddrsa.sweep.search.space import override_value, parse_search_space
from ddrsa.sweep.search.study import StudyAddress, is_grid, make_pruner, make_sampler, open_study
from ddrsa.sweep.search.summary import SearchSummary, print_search
from ddrsa.sweep.search.trials import Trials
from ddrsa.sweep.show.display import open_display
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.failures import FailedRun, SweepFailed, SweepInterrupted
from ddrsa.sweep.supervise.session import SearchNotes, SweepSession

log = logging.getLogger(__name__)

# What Hydra says of a config that cannot be composed, and a project's check of one that can.
UNUSABLE = (ConfigError, HydraException, OmegaConfBaseException)


class Search:
    """One start of a search."""

    def __init__(self, options: dict[str, Any], config: DictConfig, context: HydraContext, launcher: Launcher) -> None:
        """options: of `ddrsa.sweep.search.config.OptunaSweeperConf`. config: of the sweep, with `hydra`."""
        self.options = options
        self.config = config
        self.context = context
        self.composer = Composer(config, context.config_loader)
        self.launcher = launcher
        direction = options["direction"]
        self.directions: list[str] = [direction] if isinstance(direction, str) else list(direction)
        self.address = StudyAddress.of(config.hydra)
        self.sweep_dir = Path(str(config.hydra.sweep.dir)).absolute()
        self.check = None if options["check"] is None else _find_check(options["check"])
        self.failures: list[FailedRun] = []
        self.done = 0

    def run(self, arguments: Sequence[str]) -> None:
        """See `ddrsa.sweep.search.sweeper.OptunaSweeper.sweep`."""
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        options = self.options
        if isinstance(self.launcher, SupervisedLauncher):
            # So that a run that reports its epochs does not have to import it.
            self.launcher.preload.append("optuna")
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        self.space = parse_search_space(
            arguments,
            parser,
            params=options["params"],
            search_space=options["search_space"],
            custom_search_space=options["custom_search_space"],
        )
        enqueued = [self.space.enqueued(number, values) for number, values in enumerate(options["enqueue"])]
        grid = self.space.grid() if is_grid(options["sampler"]) else None
        if grid is not None:
            options["n_trials"] = min(options["n_trials"], _product(grid))
        sampler, pruner = make_sampler(options["sampler"], 0, grid), make_pruner(options["pruner"])
        check_space(self.space, self.config, self._check_job)
        if options["dry_run"]:
            print_search(self.address, self.space, options, self.sweep_dir, concurrent_runs(self.config.hydra))
            return

        self.sweep_dir.mkdir(parents=True, exist_ok=True)
        self.study = open_study(self.address, self.directions, sampler, pruner)
        OmegaConf.save(self.config, self.sweep_dir / CONFIG)
        seeded = options["sampler"].get("seed") is not None
        renewed: Callable[[int], Any] | None = (
            (lambda trials: make_sampler(options["sampler"], trials, grid)) if seeded else None
        )
        self.trials = Trials(self.study, options["n_trials"], self.sweep_dir, renewed)
        self.summary = SearchSummary(self.study, self.sweep_dir, options["objective"])
        try:
            self.trials.recover()
            self.trials.enqueue(enqueued)
            self._log_settings(sampler, pruner)
            stopped = self._do()
        finally:
            self.trials.close()
            self.summary.write()
        self._end(stopped)

    def _do(self) -> str | None:
        """Returns why the search stopped before its last trial, None where it did not."""
        if isinstance(self.launcher, SupervisedLauncher):
            return self._search_asynchronously(self.launcher)
        return search_in_batches(self)

    # Asynchronously.

    def _search_asynchronously(self, launcher: SupervisedLauncher) -> str | None:
        left = self.trials.left
        if left == 0:
            self.summary.print(open_display().console)
            return None
        notes = SearchNotes(
            {"study": self.address.name, "storage": self.address.shown, "n_trials": self.trials.n_trials},
            left,
            self.summary.print,
        )
        with launcher.session(left, n_jobs=self.options["n_jobs"], search=notes) as session:
            under_way: dict[Path, list[Trial]] = {}
            while True:
                self._fill(session, under_way)
                self.summary.write()
                ended = session.wait()
                if ended is None:
                    break
                run, outcome = ended
                for trial in under_way.pop(run.directory):
                    self.tell(trial, run, outcome)
                if (reason := self.too_many_failures()) is not None:
                    session.stop(reason)
        if session.interrupted:
            raise SweepInterrupted(self.trials.n_trials, self.done)
        return session.stopping

    def _fill(self, session: SweepSession, under_way: dict[Path, list[Trial]]) -> None:
        """Ask for trials until all slots are taken."""
        while len(under_way) < session.n_jobs and not session.stopping:
            trial = self.trials.ask()
            if trial is None:
                # Another process at this study may have died meanwhile.
                if not self.trials.recover():
                    return
                continue
            run = self.plan(trial)
            if run is None:
                if (reason := self.too_many_failures()) is not None:
                    session.stop(reason)
            elif run.directory in under_way:
                log.info("trial %d has the same run as trial %d", trial.number, under_way[run.directory][0].number)
                under_way[run.directory].append(trial)
            else:
                under_way[run.directory] = [trial]
                session.plan([run])
                session.submit(run)
                session.start()

    # One trial.

    def plan(self, trial: Trial) -> PlannedRun | None:
        """The run of the trial; None where the trial has ended already, because its config cannot be used or another
        trial had the same run.
        """
        try:
            params = self.space.suggest(trial, self.config)
            overrides = self.space.overrides(params)
            job = [*overrides, f"hydra.sweeper.trial={trial.number}"]
            (run,) = plan_runs(self.composer, [job], trial.number, wanted=self._checked)
        except UNUSABLE as error:
            reason = " ".join(str(error).split())
            log.warning("trial %d cannot be run: %s", trial.number, reason)
            self.trials.fail(trial, reason)
            self.failures.append(FailedRun("not started", tuple(map(str, _texts(trial.params))), error))
            return None
        directory = str(run.directory.relative_to(self.sweep_dir))
        self.trials.note(trial, overrides=overrides, run=run.identity, directory=directory)
        same = self.trials.with_run(run.identity)
        if same is not None:
            log.info("trial %d has the same run as trial %d, and its result", trial.number, same.number)
            self.trials.repeat(trial, same)
            self.done += 1
            return None
        return replace(run, values=dict(text.split("=", 1) for text in _texts(params)))

    def tell(self, trial: Trial, run: PlannedRun, outcome: Outcome) -> None:
        """Tell the study how the run of the trial ended."""
        if outcome.state is State.INTERRUPTED:
            self.trials.give_back(trial)
            return
        if outcome.state is State.PRUNED:
            self.trials.prune(trial)
            self.done += 1
            return
        error, reason = outcome.error, outcome.reason or outcome.state
        if outcome.state is State.COMPLETED:
            try:
                values = trial_values(self.options["objective"], len(self.directions), outcome.value, run.directory)
                self.trials.tell(trial, values)
            except ValueError as unusable:
                error, reason = unusable, str(unusable)
                log.warning("trial %d has no value: %s", trial.number, reason)
            else:
                self.done += 1
                return
        self.trials.fail(trial, reason)
        shown = tuple(f"{key}={value}" for key, value in run.values.items())
        self.failures.append(FailedRun(str(run.directory), shown, error or RuntimeError(reason)))

    def too_many_failures(self) -> str | None:
        """Why no new trial shall start: more have failed, of all that there will be, than `max_failure_rate` allows."""
        rate, count = self.options["max_failure_rate"], len(self.failures)
        if count <= rate * self.trials.n_trials:
            return None
        return f"{count} of {self.trials.n_trials} trials have failed (max_failure_rate={rate:g})"

    def _checked(self, config: DictConfig, overrides: Sequence[str]) -> bool:  # noqa: ARG002
        if self.check is not None:
            self.check(config)
        return True

    def _check_job(self, overrides: Sequence[str]) -> None:
        plan_runs(self.composer, [overrides], wanted=self._checked)

    # The beginning and the end.

    def _log_settings(self, sampler: Any, pruner: Any) -> None:
        pruning = type(pruner).__name__
        if len(self.directions) > 1:
            pruning = "none, since Optuna prunes for one objective only"
        log.info("study %s in %s, %s", self.address.name, self.address.shown, ", ".join(self.directions))
        log.info("sampler %s, pruner %s", type(sampler).__name__, pruning)
        left = self.trials.left
        if left < self.trials.n_trials:
            log.info("%d of %d trials are left", left, self.trials.n_trials)

    def _end(self, stopped: str | None) -> None:
        if self.failures:
            total = self.done + len(self.failures)
            raise SweepFailed(self.failures, total, stopped=stopped) from self.failures[0].error


def _texts(params: dict[str, Any]) -> list[str]:
    return [f"{key}={override_value(key, value)}" for key, value in params.items()]


def _product(grid: dict[str, list[Any]]) -> int:
    count = 1
    for values in grid.values():
        count *= len(values)
    return count


def _find_check(path: str) -> Callable[[DictConfig], Any]:
    try:
        return get_method(path)
    except Exception as error:  # whatever importing that module raises
        raise ConfigError(f"hydra.sweeper.check is {path!r}, which cannot be used as a function: {error}") from error

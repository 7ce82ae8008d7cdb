"""Start of a search: its space, study and sampler are set up, and handed to the driver that fits the launcher."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from ddrsa.better import MINIMIZE, name_says_higher
from ddrsa.errors import ConfigError
from ddrsa.plain_values import PlainValues
from ddrsa.rundir.files import atomic_write, make_directory, refuse_links, remove_leftovers, require_writable
from ddrsa.rundir.sweep_files import CONFIG, OWNERS
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.planned_run import PlannedRun, adopt_sweep_dir, plan_runs
from ddrsa.sweep.process.cores import concurrent_runs
from ddrsa.sweep.search.asynchronous import search_asynchronously
from ddrsa.sweep.search.batches import search_in_batches
from ddrsa.sweep.search.check import check_space
from ddrsa.sweep.search.comparability import Comparability
from ddrsa.sweep.search.config import OptunaSweeperConf
from ddrsa.sweep.search.migrate import adapt, check_study_space, keep_order
from ddrsa.sweep.search.repeats import Repeats, pruner_of_repeats, warn_of_searched_repeats
from ddrsa.sweep.search.space import parse_search_space
from ddrsa.sweep.search.study import JOURNAL, StudyAddress, find_study, is_grid, make_pruner, make_sampler, open_study
from ddrsa.sweep.search.summary import SearchSummary, print_search
from ddrsa.sweep.search.trial_runs import TrialRuns
from ddrsa.sweep.search.trials import Trials, job_of
from ddrsa.sweep.supervise.failures import SweepFailed
from ddrsa.sweep.supervise.session import SessionLauncher
from ddrsa.texts import count_of

log = logging.getLogger(__name__)


def run_search(
    arguments: Sequence[str], options: OptunaSweeperConf, config: DictConfig, context: HydraContext, launcher: Launcher
) -> None:
    """See `ddrsa.sweep.search.sweeper.OptunaSweeper.sweep`. config: of the sweep, with `hydra`."""
    with _quiet_optuna():
        _run_search(arguments, options, config, context, launcher)


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Within it Optuna tells neither its progress nor what is experimental; afterwards this process is as before."""
    verbosity = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)


def _run_search(
    arguments: Sequence[str], options: OptunaSweeperConf, config: DictConfig, context: HydraContext, launcher: Launcher
) -> None:
    space = parse_search_space(
        arguments,
        OverridesParser.create(config_loader=context.config_loader),
        params=options.params,
        search_space=options.search_space,
        custom_search_space=options.custom_search_space,
    )
    composer = Composer(config, context.config_loader)
    if isinstance(launcher, SessionLauncher):
        adopt_sweep_dir(composer, space.overrides({}))
    address = StudyAddress.of(config.hydra)
    sweep_dir = Path(str(config.hydra.sweep.dir)).absolute()
    plan_job = _planner(composer, options.check, options.comparable)
    enqueued = [space.enqueued(number, values) for number, values in enumerate(options.enqueue)]
    grid = space.grid() if is_grid(options.sampler) else None
    n_trials = options.n_trials if grid is None else min(options.n_trials, math.prod(map(len, grid.values())))
    repeats = Repeats.of(options.repeats, options.repeat_key, space, config)
    if repeats.count > 1 and not isinstance(launcher, SessionLauncher):
        raise ConfigError(
            f"hydra.sweeper.repeats={repeats.count}: the runs of a trial go one after another, which this launcher "
            "cannot do; hydra/launcher=supervised, ray and slurm can"
        )
    warn_of_searched_repeats(space.distributions)
    _warn_of_the_direction(options, OmegaConf.select(config, "hydra.launcher.value_name"))
    sampler, pruner = make_sampler(options.sampler, 0, grid), make_pruner(options.pruner)
    if repeats.count > 1:
        pruner = pruner_of_repeats(pruner, repeats.count, (options.pruner or {}).get("p_threshold"))

    def check(overrides: Sequence[str]) -> None:
        for number in sorted({0, repeats.count - 1}):
            plan_job(repeats.overrides(overrides, number), number)

    there = find_study(address) if address.file is not None else None
    if there is not None:
        keep_order(space, there)
    check_space(space, config, check)
    if there is not None and not options.migrate:
        check_study_space(space, there, address)
    if options.dry_run:
        print_search(address, space, options, n_trials, sweep_dir, concurrent_runs(config.hydra))
        return

    if address.file is not None:
        require_writable(address.file.parent, "hydra.sweep.dir")
    study = open_study(address, options.directions, sampler, pruner)
    keep_order(space, study)
    if not options.migrate:
        check_study_space(space, study, address)
    require_writable(sweep_dir, "hydra.sweep.dir")
    make_directory(sweep_dir, sweep_dir)
    remove_leftovers(sweep_dir, owned=False)
    refuse_links(sweep_dir, (JOURNAL, OWNERS))
    with atomic_write(sweep_dir / CONFIG) as stream:
        OmegaConf.save(config, stream)
    seeded = options.sampler.get("seed") is not None
    trials = Trials(
        study, n_trials, sweep_dir, (lambda before: make_sampler(options.sampler, before, grid)) if seeded else None
    )
    runs = TrialRuns(trials, space, config, options, plan_job, repeats)
    summary = SearchSummary(study, sweep_dir, options.objective)
    try:
        trials.recover()
        with trials.mutex:
            study = adapt(space, study, address, trials.others_at_work() if options.migrate else None)
        trials.study = summary.study = study
        trials.enqueue(enqueued)
        _note_other_repeats(study, repeats)
        _log_settings(address, trials)
        if isinstance(launcher, SessionLauncher):
            stopped = search_asynchronously(runs, launcher, address, summary)
        else:
            stopped = search_in_batches(runs, launcher, summary)
    finally:
        trials.close()
        summary.write()
    if runs.failures:
        total = runs.done + len(runs.failures)
        raise SweepFailed(runs.failures, total, stopped=stopped) from runs.failures[0].error


def _planner(
    composer: Composer, check_path: str | None, comparable_path: str | None
) -> Callable[[Sequence[str], int], PlannedRun]:
    """Plans a job by its overrides and number, after the project's check of its config, and of its comparability."""
    check = None if check_path is None else find_object("hydra.sweeper.check", check_path)
    comparable = None if comparable_path is None else find_object("hydra.sweeper.comparable", comparable_path)
    comparability = Comparability(comparable)

    def wanted(config: DictConfig | PlainValues, overrides: Sequence[str]) -> bool:  # noqa: ARG001
        assert isinstance(config, DictConfig)  # it is not marked to take the other
        if check is not None:
            check(config)
        comparability.check(config)
        return True

    def plan_job(overrides: Sequence[str], number: int) -> PlannedRun:
        (run,) = plan_runs(composer, [overrides], number, wanted)
        return run

    return plan_job


def _warn_of_the_direction(options: OptunaSweeperConf, value_name: str | None) -> None:
    """Say so where an objective that is better high by its name is minimized. value_name: what the task returns."""
    objectives = [options.objective] if isinstance(options.objective, str | None) else options.objective
    for objective, direction in zip(objectives, options.directions, strict=False):
        name = value_name if objective is None else objective
        if name is not None and name_says_higher(name) and direction == MINIMIZE:
            log.warning(
                "%s is minimized: the trial with the lowest is the best. Where the highest is meant, it is "
                "hydra.sweeper.direction=maximize, in a new study",
                name,
            )


def _note_other_repeats(study: optuna.Study, repeats: Repeats) -> None:
    """Say so where trials of the study are the mean of another number of runs, or of others."""
    own = {repeats.key: repeats.values} if repeats.count > 1 else None
    others = [
        trial for trial in study.get_trials(deepcopy=False) if (job := job_of(trial)) and job.get("repeats") != own
    ]
    if others:
        log.warning(
            "%s other repeats than hydra.sweeper.repeats=%d: the values compare badly with those to come",
            count_of(len(others), "trial of the study has", "trials of the study have"),
            repeats.count,
        )


def _log_settings(address: StudyAddress, trials: Trials) -> None:
    study = trials.study
    directions = [direction.name.lower() for direction in study.directions]
    pruning = type(study.pruner).__name__
    if len(directions) > 1:
        pruning = "none, since Optuna prunes for one objective only"
    log.info("study %s in %s, %s", address.name, address.shown, ", ".join(directions))
    log.info("sampler %s, pruner %s", type(study.sampler).__name__, pruning)
    left = trials.left
    if left < trials.n_trials:
        log.info("left: %d of %s", left, count_of(trials.n_trials, "trial"))

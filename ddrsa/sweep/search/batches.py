"""Driver of a search under a launcher that only takes whole batches of jobs, such as Hydra's basic one and joblib."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf
from optuna.trial import Trial

from ddrsa.compat_hydra import returned
from ddrsa.rundir.reasons import reason_of_exception
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.cores import concurrent_runs
from ddrsa.sweep.search.summary import SearchSummary
from ddrsa.sweep.search.trial_runs import TrialRuns
from ddrsa.sweep.search.trials import Trials
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.record import sweep_log

log = logging.getLogger(__name__)


def search_in_batches(runs: TrialRuns, launcher: Launcher, summary: SearchSummary) -> str | None:
    """Do the trials that are left; a batch starts when the last one has ended.

    Returns why it stopped before the last trial, None where it did not.
    """
    hydra = runs.config.hydra
    name = OmegaConf.to_container(hydra.runtime.choices).get("hydra/launcher", type(launcher).__name__)  # type: ignore[union-attr]
    size = runs.options.n_jobs or concurrent_runs(hydra)
    with sweep_log(runs.trials.sweep_dir):
        log.info(
            "hydra/launcher=%s takes whole batches of jobs: %d at a time, and the next when all of them have "
            "ended; hydra/launcher=supervised does not wait",
            name,
            size,
        )
        carried: Trial | None = None
        while True:
            batch, carried = _ask(runs.trials, size, carried)
            if not batch:
                break
            _do(runs, launcher, batch)
            if (reason := runs.too_many_failures()) is not None:
                if carried is not None:
                    runs.trials.give_back(carried)
                return reason
        summary.log(log)
    return None


def _ask(trials: Trials, size: int, carried: Trial | None) -> tuple[list[Trial], Trial | None]:
    """At most `size` trials with consecutive numbers, which become those of the jobs; and one that is not of them."""
    batch = [] if carried is None else [carried]
    while len(batch) < size:
        trial = trials.ask()
        if trial is None:
            break
        if batch and trial.number != batch[-1].number + 1:
            return batch, trial
        batch.append(trial)
    return batch, None


def _do(runs: TrialRuns, launcher: Launcher, batch: list[Trial]) -> None:
    trials: dict[str, list[Trial]] = {}
    planned: dict[str, PlannedRun] = {}
    for trial in batch:
        run = runs.plan(trial)
        if run is not None:
            trials.setdefault(run.identity, []).append(trial)
            planned.setdefault(run.identity, run)
    if not planned:
        return
    jobs = [list(run.overrides) for run in planned.values()]
    try:
        returns = launcher.launch(jobs, initial_job_idx=batch[0].number)
    except Exception as error:
        # A worker that was killed takes the whole batch with it under joblib.
        log.warning("the batch failed: %s", reason_of_exception(error))
        failed = Outcome(State.FAILED, reason_of_exception(error), error=error)
        for identity, run in planned.items():
            runs.tell(trials[identity], run, failed)
        return
    finally:
        # The launcher's jobs have left theirs here.
        HydraConfig.instance().set_config(runs.config)
    for (identity, run), result in zip(planned.items(), returns, strict=True):
        runs.tell(trials[identity], _as_done(run, result), _outcome(result))


def _as_done(run: PlannedRun, result: JobReturn) -> PlannedRun:
    """The run where the launcher has done it."""
    if result.hydra_cfg is None:
        return run
    return replace(run, directory=Path(str(result.hydra_cfg.hydra.runtime.output_dir)))


def _outcome(result: JobReturn) -> Outcome:
    value = returned(result)
    if result.status == JobStatus.COMPLETED:
        return Outcome(State.COMPLETED, value=value)
    if type(value).__name__ == "TrialPruned":
        return Outcome(State.PRUNED)
    error = value if isinstance(value, Exception) else RuntimeError("the run ended without a result")
    return Outcome(State.FAILED, reason_of_exception(error), error=error)

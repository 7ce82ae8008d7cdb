"""A search under a launcher that only takes batches of jobs: Hydra's basic one, joblib, Ray, Slurm."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.trial import Trial

from ddrsa.rundir.reasons import reason_of_exception
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.cores import concurrent_runs
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.record import sweep_log

if TYPE_CHECKING:
    from ddrsa.sweep.search.search import Search

log = logging.getLogger(__name__)


def search_in_batches(search: Search) -> str | None:
    """Do the trials of `search`; a batch starts when the last one has ended.

    Returns why it stopped before the last trial, None where it did not.
    """
    hydra = search.config.hydra
    name = OmegaConf.to_container(hydra.runtime.choices).get("hydra/launcher", type(search.launcher).__name__)  # type: ignore[union-attr]
    size = search.options["n_jobs"] or concurrent_runs(hydra)
    with sweep_log(search.sweep_dir):
        log.info(
            "hydra/launcher=%s takes whole batches of jobs: %d trials at a time, and the next when all of them have "
            "ended; hydra/launcher=supervised does not wait",
            name,
            size,
        )
        carried: Trial | None = None
        while True:
            batch, carried = _ask(search, size, carried)
            if not batch:
                break
            _do(search, batch)
            if (reason := search.too_many_failures()) is not None:
                if carried is not None:
                    search.trials.give_back(carried)
                return reason
        search.summary.log(log)
    return None


def _ask(search: Search, size: int, carried: Trial | None) -> tuple[list[Trial], Trial | None]:
    """At most `size` trials with consecutive numbers, which become those of the jobs; and one that is not of them."""
    batch = [] if carried is None else [carried]
    while len(batch) < size:
        trial = search.trials.ask()
        if trial is None:
            break
        if batch and trial.number != batch[-1].number + 1:
            return batch, trial
        batch.append(trial)
    return batch, None


def _do(search: Search, batch: list[Trial]) -> None:
    trials: dict[str, list[Trial]] = {}
    runs: dict[str, PlannedRun] = {}
    for trial in batch:
        run = search.plan(trial)
        if run is not None:
            trials.setdefault(run.identity, []).append(trial)
            runs.setdefault(run.identity, run)
    if not runs:
        return
    jobs = [list(run.overrides) for run in runs.values()]
    try:
        returns = search.launcher.launch(jobs, initial_job_idx=batch[0].number)
    except Exception as error:
        # A worker that was killed takes the whole batch with it under joblib.
        log.warning("the batch failed: %s", reason_of_exception(error))
        failed = Outcome(State.FAILED, reason_of_exception(error), error=error)
        for identity, run in runs.items():
            for trial in trials[identity]:
                search.tell(trial, run, failed)
        return
    finally:
        # The launcher's jobs have left theirs here.
        HydraConfig.instance().set_config(search.config)
    for (identity, run), result in zip(runs.items(), returns, strict=True):
        for trial in trials[identity]:
            search.tell(trial, _as_done(run, result), _outcome(result))


def _as_done(run: PlannedRun, result: JobReturn) -> PlannedRun:
    """The run where the launcher has done it."""
    if result.hydra_cfg is None:
        return run
    return replace(run, directory=Path(str(result.hydra_cfg.hydra.runtime.output_dir)))


def _outcome(result: JobReturn) -> Outcome:
    # The public `return_value` of a failed job prints to stderr and raises.
    value = result._return_value
    if result.status == JobStatus.COMPLETED:
        return Outcome(State.COMPLETED, value=value)
    if type(value).__name__ == "TrialPruned":
        return Outcome(State.PRUNED)
    error = value if isinstance(value, Exception) else RuntimeError("the run ended without a result")
    return Outcome(State.FAILED, reason_of_exception(error), error=error)

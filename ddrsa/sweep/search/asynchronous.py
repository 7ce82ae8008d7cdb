"""Driver of a search under a launcher that takes runs one by one: a trial starts as soon as another has ended."""

from __future__ import annotations

import logging
from pathlib import Path

from optuna.trial import Trial

from ddrsa.rundir.manifest import read_manifest, read_results
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.search.study import StudyAddress
from ddrsa.sweep.search.summary import SearchSummary
from ddrsa.sweep.search.trial_runs import TrialRuns
from ddrsa.sweep.show.display import open_display
from ddrsa.sweep.supervise.failures import SweepInterrupted, SweepUnfinished
from ddrsa.sweep.supervise.results import renew_results
from ddrsa.sweep.supervise.session import SearchNotes, SessionLauncher, SweepSession

log = logging.getLogger(__name__)


def search_asynchronously(
    runs: TrialRuns, launcher: SessionLauncher, address: StudyAddress, summary: SearchSummary
) -> str | None:
    """Do the trials that are left.

    Returns why it stopped before the last trial, None where it did not. Raises SweepInterrupted after a signal.
    """
    trials = runs.trials
    left = trials.left
    notes = SearchNotes({"study": address.name, "storage": address.shown, "n_trials": trials.n_trials}, summary.print)
    again = runs.done_already() if _is_damaged(summary.sweep_dir) else []
    if left == 0 and not again:
        renew_results(summary.sweep_dir)
        summary.print(open_display().console)
        return None
    # `optuna`, so that a run that reports its epochs does not have to import it.
    most_runs = left * runs.repeats.count + len(again)
    with launcher.session(most_runs, n_jobs=runs.options.n_jobs, search=notes, preload=["optuna"]) as session:
        under_way: dict[str, list[Trial]] = {}  # by the identity of their run
        for run in again:
            session.submit([run])
        while True:
            _fill(runs, session, under_way)
            summary.write()
            ended = session.wait()
            if ended is None:
                trials.give_back_all()  # those that were not begun; the session prints the summary when it ends
                break
            run, outcome = ended
            ended_trials = under_way.pop(run.identity, None)
            if ended_trials is None:  # of a trial that had ended before
                continue
            following = runs.tell(ended_trials, run, outcome)
            if following is not None:
                _go_on(following, ended_trials, under_way, session)
            _stop_after_failures(runs, session)
    if session.supervisor.is_interrupted:
        raise SweepInterrupted(trials.n_trials, runs.done)
    if session.supervisor.out_of_time is not None and not runs.failures:
        raise SweepUnfinished(session.supervisor.out_of_time, trials.n_trials, trials.n_trials - left + runs.done)
    return session.supervisor.stopping


def _is_damaged(sweep_dir: Path) -> bool:
    """Whether a file in which the sweep's runs stand is missing or cannot be read, which is said."""
    damaged = False
    for read in (read_manifest, read_results):
        try:
            damaged |= read(sweep_dir) is None
        except ValueError as error:
            log.warning("%s; it is written anew", error)
            damaged = True
    return damaged


def _fill(runs: TrialRuns, session: SweepSession, under_way: dict[str, list[Trial]]) -> None:
    """Ask for trials until all slots are taken."""
    supervisor = session.supervisor
    while len(under_way) < supervisor.n_jobs and not supervisor.stopping:
        trial = runs.trials.ask()
        if trial is None:
            # Another process at this study may have died meanwhile.
            if not runs.trials.recover():
                return
            continue
        run = runs.plan(trial)
        if run is None:
            _stop_after_failures(runs, session)
        elif run.identity in under_way:
            log.info("trial %d has the same run as trial %d", trial.number, under_way[run.identity][0].number)
            under_way[run.identity].append(trial)
        else:
            under_way[run.identity] = [trial]
            session.submit([run])


def _go_on(
    following: PlannedRun, trials: list[Trial], under_way: dict[str, list[Trial]], session: SweepSession
) -> None:
    """Start the next repeat of trials."""
    under_way[following.identity] = trials
    session.submit([following])


def _stop_after_failures(runs: TrialRuns, session: SweepSession) -> None:
    if (reason := runs.too_many_failures()) is not None:
        session.supervisor.stop(reason)

"""`report`: the intermediate values of a run for its search, whose answer is whether the run should end."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig

from ddrsa.sweep.config import trial_of

if TYPE_CHECKING:
    from ddrsa.sweep.search.trial_report import TrialReport

log = logging.getLogger(__name__)

_opened: tuple[tuple[Any, ...], TrialReport] | None = None


def report(value: float, step: int) -> bool:
    """Tell the search the objective after `step` (an epoch, say), and hear whether this run should end now.

    A task calls it after each epoch: `if report(loss, epoch): raise optuna.TrialPruned`. Before it raises it may save
    and evaluate what it has. Outside of a search it does nothing and returns False, so it can always be called.

    A step that was reported before, by an attempt that was cut off, is not reported again. Where the study cannot be
    reached, a warning is logged and the run goes on.
    """
    trial = _current()
    if trial is None:
        return False
    try:
        return trial.report(float(value), int(step))
    except Exception as error:
        # A run shall not be lost because a database was away for a moment.
        log.warning("step %d of the trial cannot be reported to the study: %s: %s", step, type(error).__name__, error)
        return False


def trial_number() -> int | None:
    """The number of the trial that this run is, None where it is none."""
    if not HydraConfig.initialized():
        return None
    return trial_of(HydraConfig.get())


def searched_objectives() -> list[str | None]:
    """The objectives of the search, `hydra.sweeper.objective`; [None] for what the task returns."""
    sweeper = HydraConfig.get().sweeper
    if not isinstance(sweeper.direction, str):
        return list(sweeper.objective or [None] * len(sweeper.direction))
    return (
        list(sweeper.objective) if sweeper.objective and not isinstance(sweeper.objective, str) else [sweeper.objective]
    )


def _current() -> TrialReport | None:
    global _opened
    number = trial_number()
    if number is None:
        return None
    # One process may do several trials, one after the other, and a forked one has to open the study anew.
    key = (os.getpid(), number, str(HydraConfig.get().sweep.dir))
    if _opened is None or _opened[0] != key:
        from ddrsa.sweep.search.trial_report import TrialReport  # imports Optuna

        try:
            _opened = (key, TrialReport(HydraConfig.get(), number))
        except Exception as error:
            log.warning("the study of trial %d cannot be opened: %s: %s", number, type(error).__name__, error)
            return None
    return _opened[1]

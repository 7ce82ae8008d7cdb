"""`report` and `constrain`: what a run tells its search: intermediate values, and whether its result may be used."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State
from ddrsa.sweep.config import repeat_of, trial_of

if TYPE_CHECKING:
    from ddrsa.sweep.search.trial_report import TrialReport

log = logging.getLogger(__name__)

_opened: tuple[tuple[Any, ...], TrialReport] | None = None


def report(value: float, step: int) -> bool:
    """Tell the search the objective after `step` (an epoch, say), and hear whether this run should end now.

    A task calls it after each epoch: `if report(loss, epoch): raise optuna.TrialPruned`. Before it raises it may save
    and evaluate what it has. Outside of a search it does nothing and returns False, so it can always be called.

    A step that was reported before, by an attempt that was cut off, is not reported again. Where the study cannot be
    reached, a warning is logged and the run goes on. With `hydra.sweeper.repeats` a trial has a value after each of its
    runs, and those within a run are not reported.
    """
    trial = _current()
    if trial is None or repeat_of(HydraConfig.get()) is not None:
        return False
    try:
        return trial.report(float(value), int(step))
    except Exception as error:
        # A run shall not be lost because a database was away for a moment.
        log.warning("step %d of the trial cannot be reported to the study: %s: %s", step, type(error).__name__, error)
        return False


def constrain(name: str, value: float) -> None:
    """Tell the search that this run's result is allowed only where `value` is 0 or less: `memory_mb - 500`, say.

    Any number of constraints, each with a name of its own; of one name the last value counts. A trial with a value
    above 0 is not the best whatever its objective is, and samplers that know constraints (tpe, gp, nsgaii) look
    elsewhere. Outside of a search it does nothing. Where the study cannot be reached, a warning is logged.

    Raises ValueError where `value` is NaN, and TypeError where it is no number.
    """
    number = float(value)
    if number != number:
        raise ValueError(f"the constraint {name} is NaN: a number is expected, 0 or less where the result is allowed")
    trial = _current()
    if trial is None:
        return
    _note_constraint(name, number)
    repeat = repeat_of(HydraConfig.get())
    try:
        trial.constrain(constraint_name(name, repeat), number)
    except Exception as error:
        log.warning("the constraint %s cannot be told to the study: %s: %s", name, type(error).__name__, error)


def constraint_name(name: str, repeat: int | None) -> str:
    """The name in the study: each repeat of a trial has constraints of its own, which must all hold."""
    return name if repeat is None else f"{name} (repeat {repeat})"


def _note_constraint(name: str, value: float) -> None:
    """Into status.json, for another trial with this run: a run that has completed is not done again."""
    run = RunDirectory(HydraConfig.get().runtime.output_dir)
    status = run.status_or_empty()
    if State.of(status) is State.RUNNING:
        run.update(constraints={**(status.get("constraints") or {}), name: value})


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

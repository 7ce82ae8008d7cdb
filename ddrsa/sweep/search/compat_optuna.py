"""Private parts of Optuna that a search needs, each behind a function and with a test of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.storages.journal._file import BaseJournalFileLock as BaseJournalFileLock

# Seen in 4.0 to 5.0. The type that JournalFileBackend takes as its lock; the public locks are classes derived from it.
from optuna.storages.journal._storage import JournalStorageReplayResult
from optuna.trial import FrozenTrial, Trial, TrialState

# The system attributes of a trial that hold its constraints: this, or this with a colon and a name.
_CONSTRAINTS = "constraints"


class Replay:
    """The content of a journal, line by line."""

    def __init__(self) -> None:
        self._result = JournalStorageReplayResult("replay")

    def apply(self, log: Any) -> None:
        """Take in one line. Raises whatever Optuna raises where it makes no sense."""
        self._result.apply_logs([log])


def requeue(study: Study, trial: Trial | FrozenTrial) -> bool:
    """Make a RUNNING trial WAITING, so that `study.ask` gives it again with the same values; False where it has ended.

    Optuna's public `enqueue_trial` would make another trial of it.

    Uses `Study._storage` and `Trial._trial_id`, seen in 4.0 to 5.0; the error got a class of its own in 4.4.
    """
    try:
        study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
    except RuntimeError:
        return False
    return True


def storage_of(study: Study) -> BaseStorage:
    """The storage of the study. Uses `Study._storage`, seen in 4.0 to 5.0."""
    return study._storage


def set_intermediate_value(study: Study, trial: Trial | FrozenTrial, step: int, value: float) -> None:
    """Report a value of a RUNNING trial.

    Optuna's public `Trial.report` needs a `Trial`, and only the process that asked for the trial has one.

    Uses `Study._storage` and `Trial._trial_id`, seen in 4.0 to 5.0.
    """
    study._storage.set_trial_intermediate_value(trial._trial_id, step, value)


def drop(study: Study, trial: FrozenTrial, attributes: Mapping[str, Any]) -> bool:
    """Make a WAITING trial FAIL without doing it, with these user attributes; False where it waits no more.

    Uses `Study._storage` and `FrozenTrial._trial_id`, seen in 4.0 to 5.0.
    """
    try:
        for name, value in attributes.items():
            study._storage.set_trial_user_attr(trial._trial_id, name, value)
        study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    except RuntimeError:
        return False
    return True


def constraints_of(trial: FrozenTrial) -> dict[str, float]:
    """The constraints of a trial by name: it is feasible where none is above 0. Empty where it has none.

    Optuna 4 has no `FrozenTrial.constraints`, and keeps the values of `constraints_func` as a list.
    """
    if hasattr(trial, "constraints"):
        return dict(trial.constraints)
    return {str(place): float(value) for place, value in enumerate(trial.system_attrs.get(_CONSTRAINTS) or [])}


def set_constraint(study: Study, trial: FrozenTrial, name: str, value: float) -> None:
    """Set a constraint of a RUNNING trial, or set it anew.

    Optuna's public `Trial.set_constraint` keeps the first value, also that of an attempt that was cut off. In Optuna 4
    the constraints are a list without names, here in the order in which they were first set.

    Uses `Study._storage` and `FrozenTrial._trial_id`, and the names of the system attributes; seen in 4.0 to 5.0.
    """
    storage = study._storage
    if hasattr(trial, "constraints"):
        storage.set_trial_system_attr(trial._trial_id, f"{_CONSTRAINTS}:{name}", value)
        return
    names = list(trial.user_attrs.get(_CONSTRAINTS) or [])
    values = list(trial.system_attrs.get(_CONSTRAINTS) or [])
    if name in names:
        values[names.index(name)] = value
    else:
        names, values = [*names, name], [*values, value]
    storage.set_trial_user_attr(trial._trial_id, _CONSTRAINTS, names)
    storage.set_trial_system_attr(trial._trial_id, _CONSTRAINTS, values)


def trial_of(study: Study, number: int) -> FrozenTrial:
    """The trial as it is in the storage now. Raises KeyError where there is none.

    Optuna's public `Study.trials` reads all of them, which is too much after each epoch.

    Uses `Study._storage` and `Study._study_id`, seen in 4.0 to 5.0.
    """
    storage = study._storage
    return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def tell(study: Study, trial: Trial, state: TrialState, values: Sequence[float] | None) -> bool:
    """`study.tell`; returns whether the sampler has tried all its values.

    A grid sampler then calls `Study.stop`, which Optuna allows within `Study.optimize` only, and tells by the text of
    a RuntimeError, after the trial was told; seen in 4.0 to 5.0.
    """
    try:
        study.tell(trial, values, state=state, skip_if_finished=True)
    except RuntimeError as error:
        if "Study.stop" not in str(error):
            raise
        return True
    return False


def contains(distribution: IntDistribution | FloatDistribution, number: float) -> bool:
    """Whether the distribution can give this number.

    Uses `_contains`, whose argument is a float for both kinds; seen in 4.0 to 5.0.
    """
    return distribution._contains(float(number))

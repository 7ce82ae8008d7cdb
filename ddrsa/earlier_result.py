"""What a run finds in its directory: its result, or what it began, and whether the data are those of today."""

from __future__ import annotations

import logging
from typing import Any

from ddrsa.changed_data import changed_content
from ddrsa.config import RunConfig
from ddrsa.errors import UsageError
from ddrsa.rundir.states import State
from ddrsa.rundir.structure import Fields, check_structure
from ddrsa.rundir.training import TrainingDirectory

log = logging.getLogger(__name__)

_METRICS = Fields({"run_id": str, "validation!": Fields({"nll!": float})})


def earlier_result(directory: TrainingDirectory, name: str) -> dict[str, Any] | None:
    """The metrics of this run where it has completed. Raises ConfigError where another run lies in its directory."""
    status = directory.status_or_empty(warn=True)
    directory.check_owner(name, status)
    try:
        metrics = directory.read_test_metrics()
        if metrics is None and State.of(status) is State.COMPLETED:
            log.warning("%s is missing; the run is evaluated again, from its checkpoint", directory.test_metrics)
        # What a search has pruned goes on from its checkpoint: here it is wanted in full, or by another trial.
        if metrics is None or metrics.get("pruned"):
            return None
        check_structure(metrics, _METRICS, directory.test_metrics)
    except ValueError as error:
        log.warning("%s; the run is evaluated again, from its checkpoint", error)
        return None
    directory.check_owner(name, metrics)
    if not status:
        # The result has outlived its status, which was damaged.
        directory.begin(name)
        directory.end(State.COMPLETED, return_value=float(metrics["validation"]["nll"]))
    return metrics


def warn_of_other_data(directory: TrainingDirectory, checked: RunConfig, metrics: dict[str, Any]) -> None:
    """Say that the files of the data are not those that a completed run was trained on."""
    try:
        changed = changed_content(metrics.get("data_content"), checked.dataset, checked.data_dir)
    except UsageError as error:
        log.warning("%s: its data cannot be compared with those that are there now: %s", directory.shown, error)
        return
    if changed is not None:
        log.warning(
            "%s was trained on other data: content %s, and that of %s is now %s; with another hydra.sweep.dir, or when "
            "that directory is gone, the model is trained anew", directory.shown, metrics["data_content"], *changed,
        )  # fmt: skip


def begin_anew_with_other_data(directory: TrainingDirectory, known: str | None, content: str | None) -> None:
    """A run that was interrupted does not go on with other data than those, `known`, that it began with."""
    trained = (
        *(directory.checkpoint_last, directory.checkpoint_previous, directory.checkpoint_best),
        directory.training_log,
    )
    if known not in (None, content) and any(path.exists() for path in trained):
        log.warning("%s began with other data: content %s, now %s; it begins anew", directory.shown, known, content)
        for path in trained:
            path.unlink(missing_ok=True)


def is_complete(directory: TrainingDirectory) -> bool:
    """Whether there is nothing to do, and nothing to mend."""
    try:
        metrics = directory.read_test_metrics()
        return bool(directory.status_or_empty()) and metrics is not None and not metrics.get("pruned")
    except ValueError:
        return False

"""MLflow: the sweep is a parent run, its runs are nested in it. The server is `MLFLOW_TRACKING_URI`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.follow.secrets import without_userinfo
from ddrsa.rundir.states import State
from ddrsa.tracking.base import Described, Point

_KEY = "ddrsa.key"
# What MLflow takes.
_MOST_PARAMS, _MOST_TAGS = 100, 100
_LONGEST_PARAM, _LONGEST_TAG, _LONGEST_NAME = 6000, 5000, 250
_NOT_IN_NAMES = re.compile(r"[^\w./ -]")
_STATUS = {
    State.RUNNING: "RUNNING",
    State.LOST: "RUNNING",
    State.COMPLETED: "FINISHED",
    State.PRUNED: "FINISHED",
    State.FAILED: "FAILED",
    State.TIMED_OUT: "FAILED",
    State.UNREADABLE: "FAILED",
    State.KILLED: "KILLED",
    State.INTERRUPTED: "KILLED",
}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
# A server that is away shall not hold up what else is to be told.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


@dataclass(frozen=True)
class MlflowOptions:
    """experiment: its name; null: MLFLOW_EXPERIMENT_NAME, or else the name of the program."""

    experiment: str | None = None


class MlflowTracker:
    """See `ddrsa.tracking.base.Tracker`."""

    name = "mlflow"
    durable = True

    def __init__(self, options: MlflowOptions, program: str) -> None:
        """program: the default name of the experiment."""
        for variable, value in {**_PATIENCE, **_QUIET}.items():
            os.environ.setdefault(variable, value)
        import mlflow

        uri = mlflow.get_tracking_uri()
        self._mlflow = mlflow
        self._client = mlflow.MlflowClient(uri)
        self._experiment_name = options.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or program
        self._experiment: str | None = None
        self._program = program
        self.place = f"{without_userinfo(uri)} {self._experiment_name}"

    def open(self, described: Described, known: str | None) -> str:
        experiment = self._experiment_id()
        found = self._existing(known) or self._search(experiment, described.key)
        if found is not None:
            return found
        tags = {_KEY: described.key, "mlflow.source.name": self._program, **described.tags}
        if described.parent is not None:
            tags["mlflow.parentRunId"] = described.parent
        if commit := described.tags.get("ddrsa.git_commit"):
            tags["mlflow.source.git.commit"] = commit
        run = self._client.create_run(
            experiment, described.began, {key: _cut(value, _LONGEST_TAG) for key, value in tags.items()},
            run_name=_cut(described.name, _LONGEST_NAME),
        )  # fmt: skip
        entry: str = run.info.run_id
        params = [self._mlflow.entities.Param(*param) for param in _params(described.params)]
        for start in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(entry, params=params[start : start + _MOST_PARAMS])
        return entry

    def points(self, entry: str, points: Sequence[Point]) -> None:
        metric = self._mlflow.entities.Metric
        metrics = [metric(_name(each.name), each.value, each.milliseconds, each.step) for each in points]
        self._client.log_batch(entry, metrics=metrics)

    def summary(self, entry: str, metrics: Mapping[str, float], tags: Mapping[str, str], step: int) -> None:
        run = self._client.get_run(entry)
        # A point that is there already is one with the same time.
        at = run.info.start_time
        metric, tag = self._mlflow.entities.Metric, self._mlflow.entities.RunTag
        self._client.log_batch(
            entry,
            metrics=[metric(_name(name), value, at, step) for name, value in metrics.items()],
            tags=[tag(key, _cut(value, _LONGEST_TAG)) for key, value in tags.items()],
        )

    def files(self, entry: str, files: Sequence[tuple[Path, str]]) -> list[str]:
        for path, folder in files:
            self._client.log_artifact(entry, str(path), folder or None)
        return []

    def state(self, entry: str, state: State, reason: str | None, ended: int | None) -> None:
        self._client.set_tag(entry, "ddrsa.state", str(state))
        if reason:
            self._client.set_tag(entry, "ddrsa.reason", _cut(reason, _LONGEST_TAG))
        if state.has_ended:
            self._client.set_terminated(entry, _STATUS[state], ended)
        else:
            self._client.update_run(entry, _STATUS[state])

    def close(self) -> None:
        """Nothing is waiting."""

    def _experiment_id(self) -> str:
        if self._experiment is None:
            found = self._client.get_experiment_by_name(self._experiment_name)
            if found is not None and found.lifecycle_stage == "deleted":
                raise ValueError(
                    f"the experiment {self._experiment_name} is deleted: restore it, or name another with "
                    "tracking.mlflow.experiment"
                )
            self._experiment = self._new_experiment() if found is None else found.experiment_id
        return self._experiment

    def _new_experiment(self) -> str:
        try:
            return str(self._client.create_experiment(self._experiment_name))
        except self._mlflow.exceptions.MlflowException:
            # Another process was faster.
            found = self._client.get_experiment_by_name(self._experiment_name)
            if found is None:
                raise
            return str(found.experiment_id)

    def _existing(self, known: str | None) -> str | None:
        """`known`, where the server has it."""
        if known is None:
            return None
        try:
            run = self._client.get_run(known)
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return known if run.info.lifecycle_stage == "active" else None

    def _search(self, experiment: str, key: str) -> str | None:
        """One that was made, and its id did not get into the ledger."""
        found = self._client.search_runs([experiment], f"tags.`{_KEY}` = '{key}'", max_results=1)
        return found[0].info.run_id if found else None


def _params(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for key, value in params.items():
        name = _name(key)
        while name in seen:
            name += "_"
        seen.add(name)
        yield name, _cut(str(value), _LONGEST_PARAM)


def _name(text: str) -> str:
    return _cut(_NOT_IN_NAMES.sub("_", text), _LONGEST_NAME)


def _cut(text: str, most: int) -> str:
    """MLflow refuses longer texts; three dots say that there was more."""
    return text if len(text) <= most else f"{text[: most - 3]}..."

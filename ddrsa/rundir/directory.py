"""Run directories: the names of their files, and their status.

A run directory is the only interface between the runs and what looks at them:

    .hydra/config.yaml   the composed config, as Hydra writes it
    run.log              everything that was logged
    status.json          state, attempt, epoch, process, device, times, error
    test_metrics.json    the result; it exists only when the run has completed, or a search has pruned it
    .lock, .owner-<n>    who has the run: ddrsa/rundir/claims.py

What else a task leaves there is its own: those of a training stand in ddrsa/rundir/training.py.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ddrsa.errors import ConfigError
from ddrsa.rundir.files import file_hash, is_intact, now, read_json, sync_directory, sync_file, write_json
from ddrsa.rundir.identity import in_names, is_of_earlier_version
from ddrsa.rundir.process_identity import boot_id, seconds_since_boot, this_process
from ddrsa.rundir.states import State
from ddrsa.rundir.structure import Fields, check_structure

log = logging.getLogger(__name__)

_RESULT = "test_metrics"  # in status.json of a run that is done: a hash of the file

_STATUS = Fields(
    {
        "run_id": str,
        "state": str,
        "attempt": int,
        "epoch": (int, None),
        "num_epochs": (int, None),
        "started_clock": (float, None),
        "trial": (int, None),
        "pid": (int, None),
        "hostname": (str, None),
        "device": (str, None),
        "gpu_index": (int, None),
        "started_at": (str, None),
        "ended_at": (str, None),
        "updated_at": (str, None),
        "error": (str, None),
        "launcher": (str, None),
        "job": (str, None),
    }
)


class RunDirectory:
    """One run's directory."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    # Made when they are asked for: a path takes a while, and there may be a hundred thousand runs.

    @cached_property
    def config(self) -> Path:
        """The composed config."""
        return self.path / ".hydra/config.yaml"

    @cached_property
    def overrides(self) -> Path:
        """The overrides that it was composed with."""
        return self.path / ".hydra" / "overrides.yaml"

    @cached_property
    def log(self) -> Path:
        """The log of all attempts."""
        return self.path / "run.log"

    @cached_property
    def status(self) -> Path:
        """The state of the run."""
        return self.path / "status.json"

    @cached_property
    def test_metrics(self) -> Path:
        """The result of a completed run."""
        return self.path / "test_metrics.json"

    @cached_property
    def early_metrics(self) -> Path:
        """What a run could do that was asked to end early: no result."""
        return self.path / "early_metrics.json"

    @property
    def shown(self) -> str:
        """Its path as messages have it."""
        return os.path.relpath(self.path)

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    def read_status(self) -> dict[str, Any] | None:
        """The content of status.json, or None before the run has started.

        Raises ValueError, which names file and key, as `read_json`, and where a value is not of its type.
        """
        status = read_json(self.status)
        if status is not None:
            check_structure(status, _STATUS, self.status)
        return status

    def status_or_empty(self, run_id: str | None = None, *, warn: bool = False) -> dict[str, Any]:
        """As `read_status`; empty before the run has started, and where the file is damaged or cannot be read.

        run_id: empty too where the file is of another run. warn: say in the log that the file cannot be used.
        """
        try:
            status = self.read_status() or {}
        except (OSError, ValueError) as error:
            if warn:
                log.warning("%s; the run is taken as one that has not ended", error)
            return {}
        return status if run_id is None or status.get("run_id") == run_id else {}

    def read_test_metrics(self) -> dict[str, Any] | None:
        """The content of test_metrics.json, or None before the run has ended well. Raises ValueError as `read_json`."""
        return read_json(self.test_metrics)

    def write_test_metrics(self, metrics: dict[str, Any]) -> None:
        """Replace test_metrics.json; `end` comes next."""
        write_json(self.test_metrics, metrics)

    @staticmethod
    def expected_result(status: dict[str, Any]) -> str | None:
        """The `file_hash` of test_metrics.json when the run was done, by its status.json; None where it has none."""
        expected: str | None = status.get(_RESULT)
        return expected

    def has_its_result(self, status: dict[str, Any]) -> bool:
        """Whether test_metrics.json is as it was when the run was done, by `status`, its status.json.

        A task need not write one: then there is nothing to miss.
        """
        # If not, it may have been written anew since, by a command that looks at runs.
        return self.has_first_result(status) or is_intact(self.test_metrics)

    def has_first_result(self, status: dict[str, Any]) -> bool:
        """As `has_its_result`, and it has not been written anew since."""
        expected = self.expected_result(status)
        return expected is None or file_hash(self.test_metrics) == expected

    def begin(self, run_id: str, **fields: Any) -> None:
        """Start an attempt: state running, this process and host, one attempt more than before.

        Called again by the process that is at it already, it adds `fields` to the same attempt.
        Raises ConfigError where another run lies here.
        """
        # A status file that an earlier process damaged must not keep the run from starting again.
        previous = self.status_or_empty()
        self.check_owner(run_id, previous)
        process = this_process()
        if previous.get("state") == State.RUNNING and all(previous.get(key) == value for key, value in process.items()):
            self._write_status({**previous, "run_id": run_id, **fields})
            return
        self._write_status(
            {
                "run_id": run_id,
                "state": State.RUNNING,
                "attempt": int(previous.get("attempt", 0)) + 1,
                "epoch": 0,
                **process,
                "started_at": now(),
                "started_clock": seconds_since_boot(),
                "ended_at": None,
                "error": None,
                **fields,
            },
        )

    def check_owner(self, run_id: str, status: dict[str, Any] | None = None) -> None:
        """Raise ConfigError where another run than `run_id` lies here. status: of this directory, if it is known."""
        other = (self.status_or_empty() if status is None else status).get("run_id", run_id)
        if other == run_id:
            return
        if is_of_earlier_version(other) and not is_of_earlier_version(run_id):
            raise ConfigError(
                f"{self.path} holds run {other} of an earlier version of ddrsa, which told runs apart by 32 bits: this "
                "version does not go on with it, choose another directory"
            )
        raise ConfigError(
            f"{self.path} holds run {in_names(other)}, and this config is run {in_names(run_id)}: choose another "
            "directory"
        )

    def update(self, **fields: Any) -> None:
        """Change some fields of status.json."""
        self._write_status({**(self.read_status() or {}), **fields})

    def end(self, state: str, error: str | None = None, **fields: Any) -> None:
        """Write the final state, with the reason where it is not `completed`. Raises ValueError for another state."""
        if state not in State.written():
            raise ValueError(f"state {state!r} is not one of {', '.join(State.written())}")
        self.update(**{"ended_at": now(), **fields, "state": state, "error": error})

    def _write_status(self, status: dict[str, Any]) -> None:
        status = {**status, **seconds_until(status, seconds_since_boot())}
        if State.of(status).is_done:
            # Written by Hydra, which does not wait for the disk, and needed by whoever reads the result.
            for path in (self.path / ".hydra").glob("*.yaml"):
                sync_file(path)
            sync_directory(self.path / ".hydra")
            status = {**status, _RESULT: file_hash(self.test_metrics)}
        # That a run is under way means nothing after the machine went down: until when is not worth the time.
        durable = status.get("state") != State.RUNNING
        write_json(self.status, {**status, "updated_at": now()}, durable=durable)


def seconds_until(status: Mapping[str, Any], clock: float) -> dict[str, float]:
    """The field `seconds` of an attempt when `seconds_since_boot` was `clock`; nothing where another boot began it."""
    if boot_id() is None or status.get("boot_id") != boot_id() or "started_clock" not in status:
        return {}
    return {"seconds": round(clock - status["started_clock"], 2)}


def find_runs(sweep_dir: Path | str) -> list[RunDirectory]:
    """Every run directory beneath `sweep_dir`, in the order of their paths: each that has a `.hydra/config.yaml`."""
    found = []
    # Not rglob, which takes seconds for thousands of runs.
    for directory, names, _ in os.walk(sweep_dir):
        if ".hydra" in names:
            names.remove(".hydra")
            if os.path.exists(os.path.join(directory, ".hydra", "config.yaml")):  # noqa: PTH110, PTH118
                found.append(directory)
    # In the order of paths, part by part, which they tell more slowly themselves.
    return [RunDirectory(path) for path in sorted(found, key=lambda path: path.split(os.sep))]  # noqa: PTH206

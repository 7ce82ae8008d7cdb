"""How a job of Hydra ended, in its directory, where its launcher and its task write no status.json."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from ddrsa.compat_hydra import returned
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import now, write_json
from ddrsa.rundir.job_file import JOB_FILE, read_job
from ddrsa.rundir.process_identity import this_process
from ddrsa.rundir.reasons import reason_of_exception
from ddrsa.rundir.returned import kept_value
from ddrsa.rundir.states import State


def note_start(config: DictConfig) -> None:
    """A job starts here; called in its process."""
    _note(_directory(config), state=State.RUNNING, started_at=now(), **this_process())


def note_end(config: DictConfig, result: JobReturn) -> None:
    """The job of `config` has ended with this result."""
    directory = _directory(config)
    state, error, value = State.COMPLETED, None, None
    if result.status == JobStatus.COMPLETED:
        value = returned(result)
    else:
        raised = returned(result)
        pruned = type(raised).__name__ == "TrialPruned"
        state = State.PRUNED if pruned else State.FAILED
        error = None if pruned or not isinstance(raised, BaseException) else reason_of_exception(raised)
    kept, left_out = kept_value(value)
    more = {"return_value_left_out": left_out} if left_out else {}
    before = read_job(directory)
    _note(directory, **{**before, "state": state, "error": error, "return_value": kept, **more, "ended_at": now()})


def _directory(config: DictConfig) -> Path:
    return Path(str(config.hydra.runtime.output_dir))


def _note(directory: Path, **content: Any) -> None:
    # A launcher of this project, or a task of its own, tells it better; without .hydra nobody finds the run.
    if RunDirectory(directory).status.exists() or not (directory / ".hydra").is_dir():
        return
    with contextlib.suppress(OSError):
        write_json(directory / JOB_FILE, content, durable=False)

"""How a job of Hydra ended, as noted in its directory where its launcher and its task write no status.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddrsa.rundir.files import read_json

# Beneath the directory of the run.
JOB_FILE = ".hydra/job.json"


def read_job(directory: Path) -> dict[str, Any]:
    """What is noted of the job in `directory`, with the keys of a status.json; empty where nothing is.

    Raises OSError and ValueError as `read_json`.
    """
    content = read_json(directory / JOB_FILE) or {}
    content.pop("schema_version", None)
    return content

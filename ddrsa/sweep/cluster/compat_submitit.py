"""The parts of submitit that are not public, each behind a function. Seen in submitit 1.5.3 and 1.5.4."""

from __future__ import annotations

from typing import Any


def outcome_and_result(job: Any) -> tuple[str, Any]:
    """`success` and what the job returned, or `error` and the text of its traceback, of a job that wrote its result.

    The public `result` would first wait for the job, by asking Slurm.
    """
    outcome, result = job._get_outcome_and_result()
    return outcome, result

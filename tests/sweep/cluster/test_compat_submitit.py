"""The private parts of submitit do what compat_submitit says of them, in the version that is installed."""

from __future__ import annotations

import operator
from pathlib import Path

import pytest

from ddrsa.sweep.cluster.compat_submitit import outcome_and_result


def test_outcomes(tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit")
    executor = submitit.LocalExecutor(tmp_path)
    jobs = [executor.submit(operator.truediv, 3, divisor) for divisor in (2, 0)]
    for job in jobs:
        job.wait()
    assert outcome_and_result(jobs[0]) == ("success", 1.5)
    outcome, text = outcome_and_result(jobs[1])
    assert outcome == "error"
    assert "ZeroDivisionError" in text

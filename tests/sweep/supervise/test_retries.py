"""What follows from the end of an attempt."""

from __future__ import annotations

from pathlib import Path

import pytest
from attempts_in_memory import planned

from ddrsa.errors import UsageError
from ddrsa.rundir.reasons import OUT_OF_GPU_MEMORY
from ddrsa.rundir.states import State
from ddrsa.sweep.gpu.lease import AVOID_VARIABLE, WHOLE_VARIABLE
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.retries import RetryPolicy
from ddrsa.sweep.supervise.run_state import SupervisedRun


@pytest.mark.parametrize(
    ("outcome", "attempts", "again"),
    [
        (Outcome(State.FAILED), 2, True),
        (Outcome(State.KILLED), 2, True),
        (Outcome(State.FAILED), 3, False),
        (Outcome(State.FAILED, error=UsageError("a bad value stays one")), 1, False),
        (Outcome(State.TIMED_OUT), 1, False),
        (Outcome(State.INTERRUPTED), 1, False),
        (Outcome(State.COMPLETED), 1, False),
    ],
)
def test_which_runs_are_tried_again(tmp_path: Path, outcome: Outcome, attempts: int, again: bool) -> None:
    supervised = SupervisedRun(planned(tmp_path), attempts=attempts)
    assert RetryPolicy(retries=2).tries_again(supervised, outcome) is again


def test_gpus_of_failed_attempts_are_avoided(tmp_path: Path) -> None:
    policy, supervised = RetryPolicy(), SupervisedRun(planned(tmp_path))
    for index in (1, None, 0):
        policy.learn(supervised, Outcome(State.KILLED), shared_gpu=True, gpu_index=index)
    assert policy.environment_of(supervised) == {AVOID_VARIABLE: "1,0"}


def test_one_that_had_no_room_beside_others_gets_a_gpu_and_an_attempt_more(tmp_path: Path) -> None:
    policy, supervised = RetryPolicy(retries=0), SupervisedRun(planned(tmp_path), attempts=1)
    outcome = Outcome(State.FAILED, f"{OUT_OF_GPU_MEMORY}: tried to allocate 2 GiB")
    assert not policy.tries_again(supervised, outcome)
    policy.learn(supervised, outcome, shared_gpu=True, gpu_index=1)
    assert policy.tries_again(supervised, outcome)
    assert policy.environment_of(supervised) == {AVOID_VARIABLE: "", WHOLE_VARIABLE: "1"}


def test_failures_of_optional_runs_do_not_count(tmp_path: Path) -> None:
    policy = RetryPolicy(max_failures=2)
    for optional, state in ((True, State.FAILED), (False, State.FAILED), (False, State.INTERRUPTED)):
        policy.count(planned(tmp_path, optional=optional), Outcome(state))
    assert policy.too_many_failures is None
    policy.count(planned(tmp_path), Outcome(State.TIMED_OUT))
    assert policy.too_many_failures == "2 runs have failed (max_failures=2)"

"""Policy of retries: whether a failed run gets another attempt, on which GPU, and when there are too many failures."""

from __future__ import annotations

from ddrsa.errors import UsageError
from ddrsa.rundir.reasons import OUT_OF_GPU_MEMORY
from ddrsa.rundir.states import State
from ddrsa.sweep.gpu.lease import AVOID_VARIABLE, WHOLE_VARIABLE
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.run_state import SupervisedRun
from ddrsa.texts import count_of


class RetryPolicy:
    """Decides what follows from the end of an attempt, and counts the runs that have failed for good."""

    def __init__(self, retries: int = 0, max_failures: int | None = None) -> None:
        """retries: attempts after the first. max_failures: so many failed runs are too many; None for no limit."""
        self._retries = retries
        self._max_failures = max_failures
        self._failures = 0

    def attempts_of(self, supervised: SupervisedRun) -> int:
        """Maximum attempts: one more where it ran out of memory on a shared GPU, which its neighbours caused."""
        return self._retries + 1 + supervised.whole_gpu

    def environment_of(self, supervised: SupervisedRun) -> dict[str, str]:
        """What the next attempt has to know of the earlier ones' GPUs."""
        environ = {AVOID_VARIABLE: ",".join(map(str, supervised.gpus_to_avoid))}
        return {**environ, WHOLE_VARIABLE: "1"} if supervised.whole_gpu else environ

    def learn(self, supervised: SupervisedRun, outcome: Outcome, shared_gpu: bool, gpu_index: object) -> None:
        """Choose the GPU of the next attempt after one that failed. gpu_index: of its status.json."""
        if shared_gpu and outcome.reason is not None and outcome.reason.startswith(OUT_OF_GPU_MEMORY):
            supervised.whole_gpu = True
        elif isinstance(gpu_index, int):
            supervised.gpus_to_avoid.append(gpu_index)

    def tries_again(self, supervised: SupervisedRun, outcome: Outcome) -> bool:
        """Whether the run gets another attempt after one that ended so."""
        if outcome.state not in (State.FAILED, State.KILLED) or isinstance(outcome.error, UsageError):
            return False
        return supervised.attempts < self.attempts_of(supervised)

    def count(self, run: PlannedRun, outcome: Outcome) -> None:
        """Take note of how the run ended for good."""
        self._failures += outcome.state.has_failed and not run.optional

    @property
    def too_many_failures(self) -> str | None:
        """Why no new run shall start; None where it may."""
        if self._max_failures is None or self._failures < self._max_failures:
            return None
        return f"{count_of(self._failures, 'run has', 'runs have')} failed (max_failures={self._max_failures})"

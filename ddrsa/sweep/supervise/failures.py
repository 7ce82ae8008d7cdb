"""The runs of a sweep that failed, as one exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.utils import JobReturn, JobStatus

from ddrsa.compat_hydra import returned
from ddrsa.rundir.reasons import reason_of_exception
from ddrsa.texts import count_of


@dataclass(frozen=True)
class FailedRun:
    """A run that raised: where it ran, what set it apart, and what it raised."""

    directory: str
    overrides: tuple[str, ...]
    error: Exception

    def __str__(self) -> str:
        return f"{self.directory} ({' '.join(self.overrides)}): {reason_of_exception(self.error)}"


class SweepFailed(Exception):  # noqa: N818 - it says what happened, and nothing else in the sweep is an error
    """Some runs of a sweep failed; the others ended well and their results stand."""

    exit_code = 1  # of the command

    def __init__(self, failures: Sequence[FailedRun], total: int, stopped: str | None = None) -> None:
        """failures: at least one run.

        total: the number of runs of the sweep, with those that ended well.
        stopped: why the sweep ended before all had started, where it did.
        """
        super().__init__(failures, total, stopped)
        self.failures = tuple(failures)
        self.total = total
        self.stopped = stopped

    def __str__(self) -> str:
        lines = [
            f"{len(self.failures)} of {count_of(self.total, 'run')} failed:",
            *(f"  {failure}" for failure in self.failures),
        ]
        if self.stopped is not None:
            lines.append(f"the others were not started: {self.stopped}")
        return "\n".join(lines)

    @property
    def errors(self) -> list[Exception]:
        """What the failed runs raised."""
        return [failure.error for failure in self.failures]


class SweepInterrupted(Exception):  # noqa: N818 - as above
    """A signal ended a sweep; the results of the runs that have ended stand, and the same command goes on."""

    exit_code = 130

    def __init__(self, total: int, completed: int) -> None:
        """total: the number of runs of the sweep; completed: those that are done."""
        super().__init__(total, completed)
        self.total = total
        self.completed = completed

    def __str__(self) -> str:
        return f"interrupted with {self.completed} of {count_of(self.total, 'run')} completed; the same command goes on"


class SweepUnfinished(Exception):  # noqa: N818 - as above
    """A sweep has run out of time; the results of the runs that have ended stand, and the same command goes on."""

    exit_code = 3

    def __init__(self, limit: str, total: int, completed: int) -> None:
        """limit: what was reached, in words. total: the number of runs of the sweep; completed: those that are done."""
        super().__init__(limit, total, completed)
        self.limit = limit
        self.total = total
        self.completed = completed

    def __str__(self) -> str:
        return (
            f"{self.limit}: {self.completed} of {count_of(self.total, 'run')} completed, the others have not started "
            "or were ended before they were done (all_results.json says which, and why); the same command goes on from "
            "here"
        )


def failed_runs(returns: Sequence[JobReturn]) -> list[FailedRun]:
    """Those of a launcher's results that did not complete, in their order; but for those of optional runs."""
    required = [result for result in returns if not getattr(result, "optional", False)]
    return [_failed_run(result) for result in required if result.status != JobStatus.COMPLETED]


def _failed_run(result: JobReturn) -> FailedRun:
    error = returned(result)
    if not isinstance(error, Exception):
        error = RuntimeError("the run ended without a result")
    directory = "unknown directory" if result.hydra_cfg is None else str(result.hydra_cfg.hydra.runtime.output_dir)
    return FailedRun(directory, tuple(result.overrides or ()), error)

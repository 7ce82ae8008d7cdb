"""The runs of a sweep that failed, as one exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.utils import JobReturn, JobStatus

from ddrsa.errors import UsageError


@dataclass(frozen=True)
class FailedRun:
    """A run that raised: where it ran, what set it apart, and what it raised."""

    directory: str
    overrides: tuple[str, ...]
    error: Exception

    def __str__(self) -> str:
        first_line = next(iter(str(self.error).splitlines()), "")
        return f"{self.directory} ({' '.join(self.overrides)}): {type(self.error).__name__}: {first_line}"


class SweepFailed(Exception):  # noqa: N818 - it says what happened, and nothing else in the sweep is an error
    """Some runs of a sweep failed; the others ended well and their results stand."""

    def __init__(self, failures: Sequence[FailedRun], total: int) -> None:
        """failures: at least one run; total: the number of runs of the sweep, with those that ended well."""
        super().__init__(failures, total)
        self.failures = tuple(failures)
        self.total = total

    def __str__(self) -> str:
        lines = [f"{len(self.failures)} of {self.total} runs failed:", *(f"  {failure}" for failure in self.failures)]
        return "\n".join(lines)

    @property
    def exit_code(self) -> int:
        """Of the command: 2 where the user's input alone was the reason, else 1."""
        return 2 if all(isinstance(error, UsageError) for error in self.errors) else 1

    @property
    def errors(self) -> list[Exception]:
        """What the failed runs raised."""
        return [failure.error for failure in self.failures]


def failed_runs(returns: Sequence[JobReturn]) -> list[FailedRun]:
    """Those of a launcher's results that did not complete, in their order."""
    return [_failed_run(result) for result in returns if result.status != JobStatus.COMPLETED]


def _failed_run(result: JobReturn) -> FailedRun:
    # The public `return_value` of a failed job prints to stderr and raises.
    error = result._return_value
    if not isinstance(error, Exception):
        error = RuntimeError("the run ended without a result")
    directory = "unknown directory" if result.hydra_cfg is None else str(result.hydra_cfg.hydra.runtime.output_dir)
    return FailedRun(directory, tuple(result.overrides or ()), error)

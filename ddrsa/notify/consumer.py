"""Messages about a sweep: at the first failure, when half of it is done, and at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddrsa.follow.look import SeenRun, SweepLook, sweep_name
from ddrsa.follow.secrets import without_secrets
from ddrsa.notify.addresses import open_addresses
from ddrsa.rundir.states import State
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.started import COMMAND
from ddrsa.sweep.show.estimate import shown_duration
from ddrsa.sweep.show.run_view import timestamp
from ddrsa.texts import count_of, printable

BEST = "best.yaml"
NO_NAME = "-"
MOST_FAILURES = 5
# A run that failed may be tried again.
SETTLED_SECONDS = 10.0


class NotifyError(Exception):
    """A message could not be sent."""


class NotifyConsumer:
    """Sends the messages."""

    name = "notify"

    def __init__(self, send: Callable[[str, str], bool], expected: int | None, began: float) -> None:
        """send: a title and a text; whether that went well. expected: the number of runs, where no manifest says it.

        began: when the sweep began, in seconds since 1970; what had ended before is no news.
        """
        self._send = send
        self._expected = expected
        self._began = began
        self._known: set[str] | None = None  # what had failed when the sweep began
        self._failed_since: dict[str, float] = {}
        self._failure_told = self._half_told = False

    def see(self, look: SweepLook, runs: Sequence[SeenRun], *, ended: bool) -> None:
        """Send what is due. Raises NotifyError."""
        failed = [run for run in runs if run.state.has_failed and not run.optional]
        done = sum(run.state.has_ended for run in runs)
        total = look.planned or self._expected
        if self._known is None:
            self._known = {run.key for run in failed if self._is_old(run)}
            old = sum(run.state.has_ended and self._is_old(run) for run in runs)
            self._half_told = total is not None and 2 * old >= total
        if ended:
            self._tell(*end_message(look, runs, total, time.time() - self._began, self._began))
            return
        if not self._failure_told and (first := self._settled(failed)) is not None:
            self._tell(f"{sweep_name(look.directory)}: a run has failed", _line(first))
            self._failure_told = True
        if not self._half_told and total is not None and 2 * done >= total:
            self._tell(
                f"{sweep_name(look.directory)}: half done", f"{done} of {count_of(total, 'run')}: {_counts(runs)}"
            )
            self._half_told = True

    def _is_old(self, run: SeenRun) -> bool:
        ended = timestamp(run.status.get("ended_at"))
        return ended is not None and ended < self._began - 1  # it is written in whole seconds

    def _settled(self, failed: Sequence[SeenRun]) -> SeenRun | None:
        """A run that failed since this began, and is not tried again."""
        now = time.monotonic()
        keys = {run.key for run in failed}
        self._failed_since = {key: since for key, since in self._failed_since.items() if key in keys}
        for run in failed:
            since = self._failed_since.setdefault(run.key, now)
            if run.key not in (self._known or ()) and now - since >= SETTLED_SECONDS:
                return run
        return None

    def _tell(self, title: str, text: str) -> None:
        if not self._send(title, without_secrets(printable(text))):
            raise NotifyError("a message could not be sent, it is tried again")


def end_message(
    look: SweepLook, runs: Sequence[SeenRun], total: int | None, seconds: float, began: float
) -> tuple[str, str]:
    """Title and text of the last message."""
    name = sweep_name(look.directory)
    failed = [run for run in runs if run.state.has_failed]
    left = sum(not run.state.has_ended for run in runs) + max((total or 0) - len(runs), 0)
    stopped = sum(run.state is State.INTERRUPTED for run in runs)
    if look.abandoned:
        how = "its command was killed"
    elif left or stopped:
        how = "interrupted"
    else:
        how = f"{len(failed)} of {count_of(len(runs), 'run')} failed" if failed else "done"
    lines = [f"{_counts(runs)}{f', {left} not done' if left else ''}, after {shown_duration(seconds)}"]
    lines += _best(look.directory / BEST, began)
    lines += [_line(run) for run in failed[:MOST_FAILURES]]
    if len(failed) > MOST_FAILURES:
        lines.append(f"and {count_of(len(failed) - MOST_FAILURES, 'more failure')}")
    lines.append(f"in {look.directory}")
    if left or stopped or look.abandoned:
        lines.append(f"to go on: {COMMAND} resume {look.directory}")
    return f"{name}: {how}", "\n".join(lines)


def _counts(runs: Sequence[SeenRun]) -> str:
    counted = Counter(run.state for run in runs)
    return ", ".join(f"{count} {state.words}" for state, count in counted.items()) or "no run has started"


def _line(run: SeenRun) -> str:
    return f"{run.name}: {run.state.words}: {run.reason or 'without a reason'}"


def _best(file: Path, began: float) -> list[str]:
    """Of the analysis, where it was written at the end of this sweep."""
    try:
        found: Any = read_yaml(file) if file.stat().st_mtime >= began else []
        return [_best_line(each) for each in found]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _best_line(best: Mapping[str, Any]) -> str:
    # Runs of other tasks may have neither a data set nor a model.
    of = "" if best["dataset"] == NO_NAME else f" of {best['dataset']}"
    words = [*({best["model"]} - {NO_NAME}), *(f"{key}={value}" for key, value in best["values"].items())]
    return f"best{of}: {' '.join(words)}, {best['metric']} {best['selected']['mean']:.4g}"


def make(directory: Path, options: dict[str, Any], say: Callable[[str], None]) -> NotifyConsumer:  # noqa: ARG001
    """For `ddrsa.follow.process`. options: `variables` with the addresses, and the number of runs `expected`."""
    receivers = open_addresses(options["variables"])

    def send(title: str, text: str) -> bool:
        return bool(receivers.notify(title=title, body=text))

    return NotifyConsumer(send, options.get("expected"), options["began"])

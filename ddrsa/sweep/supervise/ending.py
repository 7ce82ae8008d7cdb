"""The end of a sweep before all runs are done: why no new run starts, and what becomes of those under way."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence

from ddrsa.rundir.states import State
from ddrsa.sweep.supervise.under_way import AttemptsUnderWay

log = logging.getLogger(__name__)

_INTERRUPTED = "the sweep was interrupted"


class SweepEnd:
    """Why no new run starts any more.

    signals: those that this process gets, appended as they come. One SIGINT is `stop`; any other, or two, end what is
        under way.
    """

    def __init__(self, under_way: AttemptsUnderWay, signals: Sequence[int]) -> None:
        self._under_way = under_way
        self._signals = signals
        self._stopping: str | None = None
        self._ending: str | None = None  # the reason of the attempts that are ended

    def __bool__(self) -> bool:
        return self._stopping is not None

    @property
    def reason(self) -> str | None:
        """Why no new run starts, None where they do."""
        return self._stopping or (_INTERRUPTED if self.is_interrupted else None)

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal has asked for it."""
        return bool(self._signals)

    def stop(self, reason: str) -> None:
        """Start no new run and no new attempt; what is under way finishes, what a scheduler has queued is withdrawn."""
        if self._stopping is None:
            self._stopping = reason
            self._under_way.withdraw_queued(reason)

    def obey_signals(self) -> None:
        """Do what the signals that have come ask for."""
        signals = list(self._signals)
        if signals and self._ending is None and (len(signals) > 1 or signals[0] != signal.SIGINT):
            name = signal.Signals(signals[-1]).name
            log.warning("%s: the runs under way are ended now", name)
            self._ending = f"the sweep was ended by {name}"
            self.stop(self._ending)
        elif signals and self._stopping is None:
            message = "interrupted: no new run starts, %d under way finish; Ctrl+C again ends them at once"
            log.warning(message, len(self._under_way))
            self.stop(_INTERRUPTED)

    def end_attempts(self) -> None:
        """End what is under way, where it may not finish: SIGTERM, and SIGKILL after a few seconds."""
        if self._ending is not None:
            self._under_way.end_all(State.INTERRUPTED, self._ending)

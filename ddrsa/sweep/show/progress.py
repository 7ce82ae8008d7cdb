"""Progress of a launcher's sweep on the terminal, and its summary at the end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.show.display import Display, SweepView, console_handlers, open_display
from ddrsa.sweep.show.run_view import RunView, run_seconds, view_of
from ddrsa.sweep.show.summary import print_summary
from ddrsa.sweep.supervise.events import SweepObserver, SweepOutcome

# Of each kind of runs that were done before, so many tell how long the others take: each is read from its files.
SAMPLES = 100
LOOK_SECONDS = 0.2


class TerminalProgress(SweepObserver):
    """Shows the sweep on stdout."""

    def __init__(self, presentation: Presentation | None = None, display: Display | None = None) -> None:
        """display: `open_display()` by default, when the sweep starts."""
        self._display = display
        self._shown = presentation or Presentation()
        self._view = SweepView([], 1)
        self._runs: dict[int, RunView] = {}
        self._done: list[RunView] = []  # those whose duration the estimate does not have yet
        self._samples: Counter[str] = Counter()  # of each kind, those done before whose duration it has
        self._ended: set[int] = set()
        self._next_look = 0.0
        self._to_come: list[RunView] = []  # the runs that a search has not planned yet

    def started(self, runs: Sequence[PlannedRun], n_jobs: int) -> None:
        self._runs = {run.number: view_of(run, self._shown) for run in runs}
        self._view = SweepView(list(self._runs.values()), n_jobs, columns=self._shown.columns)
        for handler in console_handlers():
            handler.addFilter(_not_observed)
        self.display.update(self._view)

    def expected(self, count: int) -> None:
        # They stand for themselves in the counts and in the time that is left.
        self._to_come = [RunView("", Path()) for _ in range(count)]
        self._show_all()

    def added(self, run: PlannedRun) -> None:
        self._to_come = self._to_come[1:]
        self._runs[run.number] = view_of(run, self._shown)
        self._show_all()

    def _show_all(self) -> None:
        self._view.runs = [*self._runs.values(), *self._to_come]

    @property
    def display(self) -> Display:
        """The display of the sweep."""
        if self._display is None:
            self._display = open_display()
        return self._display

    def moved(self, run: PlannedRun) -> None:
        self._runs[run.number].directory = run.directory

    def attempt_started(self, run: PlannedRun, attempt: int) -> None:
        self._add_durations()
        self._ended.discard(run.number)
        self._view.known_ended = len(self._ended)
        self._runs[run.number].start(attempt)

    def attempt_ended(self, run: PlannedRun, state: State, reason: str | None) -> None:
        view = self._runs[run.number]
        was_complete = view.since is None
        view.end(state, reason)
        if state.has_ended:
            self._ended.add(run.number)
        self._view.known_ended = len(self._ended)
        if state.is_done and not (was_complete and self._samples[view.kind] >= SAMPLES):
            self._samples[view.kind] += was_complete
            self._done.append(view)
        if not was_complete:
            self._add_durations()
            self.display.ended(self._view, view)
        view.forget()

    def _add_durations(self) -> None:
        """Add the runs that are done to what the rest is estimated by: where nothing starts, none is read for it."""
        for view in self._done:
            if (seconds := run_seconds(view.directory)) is not None:
                self._view.durations.add(view.kind, seconds)
        self._done.clear()

    def held(self, reason: str | None) -> None:
        self._view.held = reason
        self.display.held(reason)

    def outlook(self, text: str) -> None:
        self._view.outlook = text

    def queued(self, run: PlannedRun, attempts: int) -> None:
        self._runs[run.number].earlier = attempts

    def tick(self) -> None:
        if time.monotonic() < self._next_look:  # many short runs must not wait for it
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        for run in self._view.active:
            run.refresh()
        self.display.update(self._view)

    def ended(self, outcome: SweepOutcome) -> None:
        values = {}
        for planned, result in outcome.results:
            view = self._runs[planned.number]
            view.state, view.reason = result.state, result.reason
            values[view.directory] = result.value
            if result.left_out:
                view.status = {**view.status, "return_value_left_out": result.left_out}
        self.display.close()
        for handler in console_handlers():
            handler.removeFilter(_not_observed)
        runs = list(self._runs.values())
        print_summary(self.display.console, runs, values, outcome.print_best, self._shown, outcome.metrics_of)


def _not_observed(record: logging.LogRecord) -> bool:
    """Keeps from the terminal what is shown there anyhow: log lines with `extra={"observed": True}`."""
    return not getattr(record, "observed", False)

"""Displays of a sweep: a live one on a terminal, lines at intervals elsewhere."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ddrsa.rundir.states import State
from ddrsa.screen import PlainConsole
from ddrsa.sweep.show.estimate import Durations, remaining_seconds, shown_duration
from ddrsa.sweep.show.run_view import RunView, shown_counts
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

PLAIN_INTERVAL_SECONDS = 30.0
LIVE_INTERVAL_SECONDS = 0.2
PLAIN_WIDTH = 80


@dataclass
class SweepView:
    """The runs of a sweep, as they are shown. started: by time.monotonic. columns: `Presentation.columns`.

    held: why nothing starts now; None where it does. outlook: of a sweep with a time limit, when all ends.
    known_ended: `ended` where it is known, None to count.
    """

    runs: Sequence[RunView]
    n_jobs: int
    durations: Durations = field(default_factory=Durations)
    started: float = field(default_factory=time.monotonic)
    columns: Mapping[str, str] = field(default_factory=dict)
    held: str | None = None
    outlook: str | None = None
    known_ended: int | None = None

    @property
    def active(self) -> list[RunView]:
        """The runs under way."""
        return [run for run in self.runs if run.state is State.RUNNING]

    @property
    def ended(self) -> int:
        """The number of runs that have ended."""
        return sum(run.state.has_ended for run in self.runs) if self.known_ended is None else self.known_ended

    def rest(self) -> str:
        """The time that it still takes, in words."""
        return shown_duration(remaining_seconds(self.runs, self.durations, self.n_jobs))


class Display(Protocol):
    """A display of a sweep."""

    console: Console

    def update(self, view: SweepView) -> None:
        """Show the view; called several times a second."""

    def ended(self, view: SweepView, run: RunView) -> None:
        """Show that an attempt at a run ended, if it has not ended well or there is no other sign of it."""

    def held(self, reason: str | None) -> None:
        """Say why nothing starts, or that it does again (None), where `update` does not show it at once."""

    def close(self) -> None:
        """Leave the terminal as it was. May be called again."""


def open_display() -> Display:
    """The live display where stdout is a terminal that can show it and CI is not set, else the plain one."""
    console = _Console(file=sys.stdout)
    dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown")
    if sys.stdout.isatty() and not dumb and os.environ.get("CI", "").lower() in ("", "0", "false"):
        return LiveDisplay(console)
    return PlainDisplay()


class _Console(PlainConsole):
    """A console whose reader may go away (`| head`): the sweep goes on."""

    def on_broken_pipe(self) -> None:
        """Write nothing more; rich would end the process."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        log.warning("nobody reads the output any more; the sweep goes on without a display")


class PlainDisplay:
    """Lines without control codes: a summary at intervals."""

    def __init__(self, interval: float = PLAIN_INTERVAL_SECONDS) -> None:
        self.console: Console = _Console(file=sys.stdout, width=PLAIN_WIDTH, force_terminal=False, no_color=True)
        self.interval = interval
        self._last = time.monotonic()

    def update(self, view: SweepView) -> None:
        """Print a summary, if the last one is long enough ago."""
        if time.monotonic() - self._last < self.interval:
            return
        self._last = time.monotonic()
        runs = count_of(len(view.runs), "run")
        self._print(f"{view.ended} of {runs} ended: {shown_counts(view.runs)}; time left: {view.rest()}")
        if view.outlook is not None:
            self._print(view.outlook)
        for run in view.active:
            self._print(f"  {run.name}: {_progress_in_words(run, view.columns)}")

    def ended(self, view: SweepView, run: RunView) -> None:
        """Print how."""
        self._print(_end_of_attempt(view, run))

    def held(self, reason: str | None) -> None:
        """Print it."""
        self._print(reason or "there is room again: the sweep goes on")

    def _print(self, text: str) -> None:
        self.console.print(Text(f"{time.strftime('%H:%M:%S')} {text}"), soft_wrap=True)

    def close(self) -> None:
        """Nothing to do."""


class LiveDisplay:
    """A block at the lower end of the terminal that is drawn anew; all else that is printed goes above it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        # No thread: the supervisor calls often enough, and it starts processes.
        self._last = 0.0
        # What goes into a file stays there.
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stderr=sys.stderr.isatty())
        self._handlers: list[tuple[logging.StreamHandler[Any], Any]] = []

    def update(self, view: SweepView) -> None:
        """Draw it, unless it was drawn a moment ago: many short runs must not wait for it."""
        if time.monotonic() - self._last < LIVE_INTERVAL_SECONDS:
            return
        self._last = time.monotonic()
        if not self._live.is_started:
            self._open()
        drawn = _drawn(view, max(self.console.height - 4, 3))
        # Not to the last column: the terminal's echo of Ctrl+C would begin a line that rich does not know of.
        self._live.update(Constrain(drawn, self.console.width - 3), refresh=True)

    def ended(self, view: SweepView, run: RunView) -> None:
        """Print a failure above."""
        if run.state.has_failed or run.state is State.LOST:
            self.console.print(Text(_end_of_attempt(view, run), style="red"), soft_wrap=True)

    def held(self, reason: str | None) -> None:
        """Nothing: it stands in the block."""

    def close(self) -> None:
        """Take it away, and give the handlers of logging their streams back."""
        atexit.unregister(self.close)
        for handler, stream in self._handlers:
            handler.setStream(stream)
        self._handlers.clear()
        self._live.stop()

    def _open(self) -> None:
        handlers = console_handlers()
        self._live.start()
        atexit.register(self.close)
        for handler in handlers:
            # Rich has put its own in the place of both, which print above the block.
            stream = sys.stderr if handler.stream is sys.__stderr__ else sys.stdout
            self._handlers.append((handler, handler.stream))
            handler.setStream(stream)


def console_handlers() -> list[logging.StreamHandler[Any]]:
    """The handlers of the root logger that write to stdout or stderr."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    return [handler for handler in handlers if handler.stream in (sys.stdout, sys.stderr)]


def _drawn(view: SweepView, most_lines: int) -> RenderableType:
    sweep = Table.grid(padding=(0, 1), expand=True)
    for _ in range(2):
        sweep.add_column(no_wrap=True)
    sweep.add_column(no_wrap=True, justify="right", ratio=1)
    spent = shown_duration(time.monotonic() - view.started)
    bar = ProgressBar(total=max(len(view.runs), 1), completed=view.ended, width=24)
    sweep.add_row(f"{view.ended} of {len(view.runs)}", bar, f"{spent}, left: {view.rest()}")
    lines: list[RenderableType] = [sweep]
    failed = any(run.state.has_failed for run in view.runs)
    lines.append(Text(shown_counts(view.runs), style="red" if failed else ""))
    if view.held is not None:
        lines.append(Text(view.held, style="yellow"))
    if view.outlook is not None:
        lines.append(Text(view.outlook))
    active = view.active
    if active:
        table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim")
        table.add_column("run", no_wrap=True, ratio=1)
        for title in ("GPU", "epoch", *view.columns.values()):
            table.add_column(title, no_wrap=True, justify="right")
        for run in active[:most_lines]:
            table.add_row(Text(_named(run)), *_progress(run, view.columns))
        lines.append(table)
        if len(active) > most_lines:
            lines.append(Text(f"and {len(active) - most_lines} more"))
    return Group(*lines)


def _end_of_attempt(view: SweepView, run: RunView) -> str:
    """The line that says that a run ended, how, and of a failure where its log is."""
    took = "" if run.seconds is None else f" after {shown_duration(run.seconds)}"
    attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
    line = f"[{view.ended}/{len(view.runs)}] {run.state.replace('_', ' ')}{took}{attempt}: {run.name}"
    if run.state.has_failed or run.state is State.LOST:
        line += f": {run.reason}; see {os.path.relpath(run.directory / 'run.log')}"
    return line


def _named(run: RunView) -> str:
    attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
    return f"{run.name}{attempt}"


def _progress(run: RunView, columns: Mapping[str, str]) -> list[str]:
    gpu = run.status.get("gpu_index")
    place = str(run.status.get("device", "") if gpu is None else gpu)
    epochs = "" if run.num_epochs is None else f"{run.epoch}/{run.num_epochs}"
    return [place, epochs, *(_number(run, key) for key in columns)]


def _progress_in_words(run: RunView, columns: Mapping[str, str]) -> str:
    place, epochs, *numbers = _progress(run, columns)
    attempt = f"attempt {run.attempt}" if run.attempt > 1 else ""
    where = "" if not place else f"GPU {place}" if place.isdigit() else f"on {place}"
    epoch = f"epoch {epochs}" if epochs else ""
    shown = [f"{title} {number}" for title, number in zip(columns.values(), numbers, strict=True) if number]
    return ", ".join(part for part in (attempt, where, epoch, *shown) if part) or "running"


def _number(run: RunView, key: str) -> str:
    value = run.status.get(key)
    return f"{value:.4f}" if isinstance(value, int | float) else ""

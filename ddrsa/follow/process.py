"""The process that follows a sweep: it looks at the directory again and again, and hands what it sees to a consumer."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from ddrsa.follow.look import SeenRun, SweepLook, as_line
from ddrsa.rundir.states import State
from ddrsa.sweep.dotted_path import find_object

Say = Callable[[str], None]
"""Tells the user a line, by the launcher's log."""

LOOK_SECONDS = 2.0
# A consumer that fails is tried again after so long, and after twice as long each time.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
SETTLING_SECONDS = 10.0


class Consumer(Protocol):
    """What is done with the looks."""

    name: str

    def see(self, look: SweepLook, runs: Sequence[SeenRun], *, ended: bool) -> None:
        """Called again and again; `ended` the last time. What it raises is said once, and it is called again later."""


def main() -> int:
    """Follow the sweep that stdin names until it says that it has ended, or nobody holds its other end.

    Returns 0 where the consumer has done all that it had to do.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)  # the runs go first
    words, sys.stdout = sys.stdout, sys.stderr  # what libraries print is nobody's
    logging.disable(logging.CRITICAL)
    given = json.loads(sys.stdin.readline())
    ended, told = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin, ended, told), daemon=True).start()

    def say(text: str, level: str = "WARNING") -> None:
        with contextlib.suppress(OSError, ValueError):
            words.write(as_line(level=level, text=text))
            words.flush()

    directory = Path(given["directory"])
    make = find_object("consumer", given["consumer"])
    look = SweepLook(directory)

    def make_consumer() -> Consumer:
        consumer: Consumer = make(directory, given["options"], say)
        return consumer

    return 0 if follow(look, make_consumer, ended, say, lambda: not told.is_set()) else 1


def _listen(stream: TextIO, ended: threading.Event, told: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        # One line says that the sweep has ended, and so does the end of its process.
        if stream.readline():
            told.set()
    ended.set()


def follow(
    look: SweepLook,
    make: Callable[[], Consumer],
    ended: threading.Event,
    say: Say,
    abandoned: Callable[[], bool] = lambda: False,
) -> bool:
    """Look until `ended`, and once more then. Returns whether the consumer did well at the end.

    make: makes the consumer; what it raises is as what `see` raises. abandoned: whether the launcher was killed.
    """
    consumer: Consumer | None = None
    said: set[str] = set()
    failures = 0
    next_try = 0.0
    while True:
        at_end = ended.is_set()
        look.abandoned = at_end and abandoned()
        well, spent = True, 0.0
        if at_end or time.monotonic() >= next_try:
            try:
                consumer = consumer or make()
                looked = time.monotonic()
                runs = _settled(look) if look.abandoned else look.look(ended=at_end)
                spent = time.monotonic() - looked
                consumer.see(look, runs, ended=at_end)
                failures = 0
            except Exception as error:  # whatever a library raises, or a server answers
                well = False
                pause = min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE)
                failures += 1
                next_try = time.monotonic() + pause
                _say_once(said, error, say)
        if at_end:
            return well
        # Looking at thousands of runs shall not take more than a twentieth of the time.
        ended.wait(min(max(LOOK_SECONDS, 20 * spent), LONGEST_PAUSE))


def _settled(look: SweepLook) -> Sequence[SeenRun]:
    """The runs, when those of a launcher that was killed have ended with it; those of a scheduler go on."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while True:
        runs = look.look(ended=True)
        if time.monotonic() > deadline or not any(run.state is State.RUNNING for run in runs):
            return runs
        time.sleep(0.2)


def _say_once(said: set[str], error: Exception, say: Say) -> None:
    """Say an error, unless one of its kind was said: a server that is away has many ways to say so."""
    kind = type(error).__name__
    if kind not in said:
        said.add(kind)
        say(" ".join(str(error).split()) or kind)

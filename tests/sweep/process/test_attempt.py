"""The process of an attempt, before it starts and when it has ended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ddrsa.errors import ConfigError
from ddrsa.sweep.process.attempt import tell_what_it_waits_for
from ddrsa.sweep.process.context import Context, pickle_context

LOCK = threading.Lock()
NUMBER = 3


def _task(_: Any) -> int:
    def within() -> int:
        with LOCK:
            return NUMBER

    return within()


# As a function of the program that is started, which is pickled with its globals.
_task.__module__ = "__main__"


def test_a_task_that_cannot_be_pickled_is_an_error_that_names_the_global() -> None:
    with pytest.raises(ConfigError, match=r"TypeError: cannot pickle '_thread.lock' object. It uses LOCK: make that"):
        pickle_context(Context(None, _task, {}))  # type: ignore[arg-type]


@pytest.mark.parametrize("has_thread", [True, False])
def test_the_log_says_what_keeps_the_process_of_a_run_that_has_ended(tmp_path: Path, has_thread: bool) -> None:
    release = threading.Event()
    if has_thread:
        threading.Thread(target=release.wait, name="uploader").start()
    try:
        tell_what_it_waits_for(tmp_path, 0.0).join()
    finally:
        release.set()
    expected = "for its threads uploader" if has_thread else "in an exit handler (atexit)"
    assert f"WARNING the run has ended; its process still waits {expected}" in (tmp_path / "run.log").read_text()


def test_nothing_is_said_of_a_process_that_ends(tmp_path: Path) -> None:
    timer = tell_what_it_waits_for(tmp_path, 3600.0)
    assert timer.daemon  # of itself it keeps no process
    timer.cancel()
    timer.join()
    assert not (tmp_path / "run.log").exists()

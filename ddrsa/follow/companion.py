"""The process that follows a sweep, as its launcher has it: started with the sweep, waited for at its end, not long."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ddrsa
from ddrsa.follow.look import as_line
from ddrsa.texts import printable

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2


class Companion:
    """A process that follows a sweep. Whatever happens to it, the launcher goes on.

    consumer: dotted path of the function that makes what it does with its looks, see `ddrsa.follow.process`.
    name: for messages. begun: the directory of the sweep once that has begun, until then None.
    """

    def __init__(self, consumer: str, name: str, begun: Callable[[], Path | None], options: Mapping[str, Any]) -> None:
        self.name = name
        self._consumer, self._begun, self._options = consumer, begun, dict(options)
        self._process: subprocess.Popen[str] | None = None
        self._sign = 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow {name}", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        """Start the process when the sweep has begun, and log what it says."""
        while (directory := self._begun()) is None:
            if self._ending.wait(POLL_SECONDS):
                if (directory := self._begun()) is None:
                    return
                break
        try:
            process = self._process = _start(self._consumer, directory, self._options)
        except OSError as error:
            log.warning("%s: its process cannot be started: %s", self.name, error)
            return
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                said = json.loads(line)
                self._sign = time.monotonic()
                if said["text"]:  # without one it is a sign that it goes on
                    log.log(logging.getLevelName(said["level"]), "%s", printable(said["text"]))

    def tell_end(self) -> None:
        """Say that the sweep has ended; `wait` comes next."""
        self._ending.set()
        deadline = time.monotonic() + 1
        while self._process is None and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(as_line(ended=True))
                self._process.stdin.flush()

    def wait(self, deadline: float, silence: float = math.inf) -> bool:
        """Whether the process ended, with all that it had to do, before `deadline` of the monotonic clock.

        Otherwise it is ended now; and where it has given no sign for so many seconds of `silence`.
        """
        process = self._process
        if process is None:
            return not self._thread.is_alive()
        self._sign = time.monotonic()
        try:
            while (code := process.poll()) is None:
                if time.monotonic() > min(deadline, self._sign + silence):
                    self.kill()
                    return False
                time.sleep(0.05)
        except KeyboardInterrupt:
            self.kill()
            return False
        self._thread.join(1)
        return code == 0

    def kill(self) -> None:
        """End the process and what it has started, at once."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(consumer: str, directory: Path, options: Mapping[str, Any]) -> subprocess.Popen[str]:
    # -P: a folder `wandb` or a file `mlflow.py` in the working directory is not imported in the place of the package.
    package = str(Path(ddrsa.__file__).parents[1])
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), package]))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ddrsa.follow"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        start_new_session=True,  # Ctrl+C is the launcher's, which tells it
    )
    assert process.stdin is not None
    process.stdin.write(as_line(consumer=consumer, directory=str(directory), options=dict(options)))
    process.stdin.flush()
    return process

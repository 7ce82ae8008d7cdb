"""Processes that hold GPUs, and the kinds of functions that fixtures give to start them."""

from __future__ import annotations

import json
import select
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Holder:
    """A process that runs hold_gpu.py. allocations: the directory where the fake driver looks for its memory."""

    def __init__(self, process: subprocess.Popen[str], allocations: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self.allocations = process, allocations
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr

    def read(self) -> dict[str, Any]:
        """The next line that it prints; waits for it."""
        timer = threading.Timer(20, self.process.kill)
        timer.start()
        line = self.stdout.readline()
        timer.cancel()
        assert line, f"the process ended with {self.process.wait()}: {self.stderr.read()}"
        return dict(json.loads(line))

    def looks(self) -> list[float]:
        """When it has looked for a GPU and found none."""
        file = self.allocations / f"looks.{self.process.pid}"
        return [float(line) for line in file.read_text().splitlines()] if file.exists() else []

    def finds_none(self, looks: int = 2, after: float = 0) -> bool:
        """Whether it looks so often in vain, from so many seconds after now on; only before the first `read`."""
        begin, deadline = time.monotonic() + after, time.monotonic() + after + 30
        while sum(when >= begin for when in self.looks()) < looks:
            if select.select([self.stdout], [], [], 0.02)[0]:
                return False
            assert time.monotonic() < deadline, "it does not look"
        return True

    def take(self, gib: float) -> None:
        """Have it use so much memory of GPU-a."""
        (self.allocations / f"GPU-a.{self.process.pid}").write_text(str(int(gib * 2**30)))

    def let_go(self) -> None:
        self.stdin.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class SetGpus(Protocol):
    """Sets the GPUs of this process."""

    def __call__(self, *gpus: str) -> None: ...


class UntilWaiting(Protocol):
    """Blocks until so many holders have queued."""

    def __call__(self, count: int) -> None: ...


class HoldGpu(Protocol):
    """Starts a holder. arguments: of lease_gpu; hold: seconds, or None for until `let_go`."""

    def __call__(
        self,
        gpus: str | Sequence[int] = "auto",
        *,
        hold: float | None = None,
        fork: bool = False,
        variables: Mapping[str, str] | None = None,
        **arguments: object,
    ) -> Holder: ...

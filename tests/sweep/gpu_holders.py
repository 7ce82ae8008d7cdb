"""Processes that hold GPUs, and the kinds of functions that fixtures give to start them."""

from __future__ import annotations

import json
import select
import subprocess
import threading
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

    def holds_a_gpu(self, within: float) -> bool:
        """Whether it has said so; only before the first `read`."""
        return bool(select.select([self.stdout], [], [], within)[0])

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

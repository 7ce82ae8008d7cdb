"""python -m ddrsa.sweep verify: whether what the launcher promises holds on this machine."""

from __future__ import annotations

import itertools
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrsa.sweep.process.server_process import is_portable
from ddrsa.sweep.verify.bench import Bench, CheckFailed
from ddrsa.sweep.verify.checks import CHECKS, Check

PORTABLE_LIMITS = (
    "without prctl processes are bound to their launcher by portable means; not promised: the end of a process that "
    "has left its run's process group and whose parent has died; and, after kill -9 of the launcher together with the "
    "server of its runs, of a run whose native code holds Python's lock"
)


def verify(launcher: str = "supervised", checks: Mapping[str, Check] = CHECKS, console: Console | None = None) -> int:
    """Run the checks in a temporary directory and print a table of them.

    launcher: the name of the launcher that is tried.

    Returns 0 where all pass, else 1. Nothing is left behind, whatever a check does.
    """
    console = console or Console(highlight=False, markup=False, emoji=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("what was seen", overflow="fold")
    began = time.monotonic()
    with (
        _children_that_hear_ctrl_c(),
        tempfile.TemporaryDirectory(prefix="ddrsa-verify-") as directory,
        console.status(f"hydra/launcher={launcher}: starting") as shown,
    ):
        places = [Path(directory).resolve() / str(number) for number in range(len(checks))]
        results = []
        # Two at a time: each of them mostly waits.
        with ThreadPoolExecutor(2) as pool:
            for result in pool.map(_try, checks.values(), places, itertools.repeat(launcher)):
                results.append(result)
                shown.update(f"hydra/launcher={launcher}: {len(results)} of {len(checks)} checks done")
    for name, (passed, seconds, seen) in zip(checks, results, strict=True):
        verdict = Text("pass", style="green") if passed else Text("FAIL", style="bold red")
        table.add_row(name, verdict, f"{seconds:.1f} s", Text(seen))
    failed = sum(not passed for passed, _, _ in results)
    console.print(table)
    total = f"{time.monotonic() - began:.0f} s"
    summary = f"{failed} of {len(checks)} checks failed" if failed else f"all {len(checks)} checks passed"
    console.print(f"{summary} for hydra/launcher={launcher}, in {total}")
    if is_portable():
        console.print(PORTABLE_LIMITS)
    return 1 if failed else 0


@contextmanager
def _children_that_hear_ctrl_c() -> Iterator[None]:
    """In this block programs that are started can be interrupted, also where SIGINT is ignored here.

    A shell has it ignored in what it starts in the background, and a launcher that inherits that heeds no Ctrl+C.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler != signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: None)  # a function is not inherited
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _try(check: Check, directory: Path, launcher: str) -> tuple[bool, float, str]:
    """Whether it passes, how long it took in seconds, and what was seen."""
    start = time.monotonic()
    with Bench(directory, launcher) as bench:
        try:
            passed, seen = True, check(bench)
        except CheckFailed as error:
            passed, seen = False, str(error)
        except Exception as error:
            passed, seen = False, f"the check itself ended with {type(error).__name__}: {error}"
    return passed, time.monotonic() - start, seen

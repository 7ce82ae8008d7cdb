"""Process trees: children that die with their parent, adopted orphans, signals to all descendants.

Where the system has no prctl (macOS, BSD), the kernel neither ends a child with its parent nor hands orphans to an
ancestor; `kernel_binds_children` tells. psutil compares the time of birth, so a process id that was given again is
never hit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# Loaded here, since a forked child of a process with threads must not load libraries.
_prctl = getattr(ctypes.CDLL(None), "prctl", None) if os.name == "posix" else None


def kernel_binds_children() -> bool:
    """Whether `die_with_parent` and `adopt_orphans` have an effect on this system."""
    return _prctl is not None


def die_with_parent(parent: int) -> None:
    """In a child that was just forked by the process `parent`: have the kernel kill it when that one dies."""
    if _prctl is None:
        return
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def adopt_orphans(yes: bool = True) -> None:
    """Make descendants whose own parent dies children of this process (or no longer), so that it can end them too."""
    if _prctl is not None:
        _prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """The living descendants of a process, of this one by default, in whatever group and session."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                # One whose first thread has ended is called a zombie, as long as others run.
                if process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1:
                    found.append(process)
    return found


def send_signal(processes: Iterable[psutil.Process], number: int) -> None:
    """Send a signal to each of them that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process group of `pid`, which leads it."""
    # EPERM is how macOS says that only zombies are left in the group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a leader of a process group, its group, and all its descendants, in whatever group."""
    # Found before the first one dies: later the orphans could not be told from others.
    found = descendants(pid)
    signal_group(pid, number)
    send_signal(found, number)


def kill_descendants(keep: Iterable[psutil.Process] = ()) -> None:
    """Kill all descendants of this process but those to `keep`, again until none is left: one may fork meanwhile."""
    kept = set(keep)
    while left := [process for process in descendants() if process not in kept]:
        send_signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)

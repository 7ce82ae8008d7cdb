"""The guardian: the process between a launcher and its fork server, that lets nothing of a sweep outlive either.

The launcher runs this file as a script: it needs the standard library alone, so it watches a few milliseconds after the
launcher has asked for a server, while that imports torch. It waits for the end of the launcher and of the server, each
by a descriptor of the process (`pidfd_open`), and then kills all that they have started, in whatever session: orphans
below it become its children (PR_SET_CHILD_SUBREAPER). Should it be killed itself, the server sees the end of a pipe
whose other end only the guardian has, and ends everything.

So whichever of the three is killed, and whenever, nothing is left. Linux alone has what it needs.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
# For what does not die at once: a process that waits for a network disk, or has become another user's.
SECONDS_TO_DIE = 10.0
LOOK_SECONDS = 0.2  # where the kernel has no descriptors of processes (before Linux 5.3)


def main(launcher: int, control: int, held: int, given: int, command: list[str]) -> None:
    """Start `command`, wait for its end or that of the process `launcher`, and kill all that is left.

    control, given: descriptors for the command. held: the other end of `given`.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.set_inheritable(held, False)
    if os.getppid() != launcher:  # it died before the line above
        return
    server = os.posix_spawn(command[0], command, os.environ)
    # Whoever signals a whole group means the launcher, which ends the sweep in good order.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.close(control)
    os.close(given)
    _wait_for_either(launcher, server)
    deadline = time.monotonic() + SECONDS_TO_DIE
    while _has_children() and time.monotonic() < deadline:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _wait_for_either(launcher: int, server: int) -> None:
    """Block until the launcher or the server has ended."""
    try:
        ends = [os.pidfd_open(launcher), os.pidfd_open(server)]
    except (AttributeError, OSError):
        ends = []
    waiting = select.poll()
    for end in ends:
        waiting.register(end, select.POLLIN)
    # The launcher's number may have been given again before its descriptor was opened: its child knows its parent.
    while os.getppid() == launcher and not _has_ended(server):
        if waiting.poll(None if ends else 1000 * LOOK_SECONDS):
            return


def _has_ended(child: int) -> bool:
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _has_children() -> bool:
    """Reap those that have ended, and tell whether others are left: as long as anything is below, a child is.

    What those that are reaped took is counted among what the launcher's children took.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[int]:
    """The processes below this one, with those that have ended.

    One whose first thread has ended is called a zombie, as long as others run, and is still a parent.
    """
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - no pathlib, for the speed of the start
        if name.isdigit() and (found := _parent_of(name)) is not None:
            children.setdefault(found, []).append(int(name))
    below = list(children.get(os.getpid(), []))
    for pid in below:  # grows
        below += children.get(pid, [])
    return below


def _parent_of(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:  # noqa: PTH123
            # The name of the program, in parentheses, may hold anything.
            return int(stream.read().rpartition(b")")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return None


if __name__ == "__main__":
    launcher, control, held, given = map(int, sys.argv[1:5])
    main(launcher, control, held, given, sys.argv[5:])

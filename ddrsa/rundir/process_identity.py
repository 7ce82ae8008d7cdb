"""Identity of a process, and times, that do not depend on the wall clock.

A process number is given again sooner or later. On Linux the start of its process, in ticks since the machine was
started, tells the one from the other, and the boot id one start of the machine from the next. Wall clocks step.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import psutil

# The kernel's own number for the processes of a machine that are in no container (PROC_PID_INIT_INO).
_FIRST_NAMESPACE = "4026531836"


@cache
def boot_id() -> str | None:
    """The same for all processes since this machine was started, and no others; None where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


@cache
def pid_namespace() -> str | None:
    """The same for all processes that see each other's numbers: those of a container are others than its host's."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


@cache
def installation() -> str | None:
    """The same for all starts of this machine's system; None where it has no such number. It is not to be published."""
    try:
        number = Path("/etc/machine-id").read_text().strip()
    except OSError:
        return None
    return hashlib.sha256(f"ddrsa {number}".encode()).hexdigest()[:16] if number else None


def seconds_since_boot() -> float:
    """A clock that nobody sets, the same in all processes of the machine."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def this_process() -> dict[str, Any]:
    """For a file that is to tell others whether this process lives."""
    found = {"pid": os.getpid(), "hostname": socket.gethostname()}
    boot, start = boot_id(), _start_of(os.getpid())
    if boot is None or start is None:
        return found
    more = {"pid_namespace": pid_namespace(), "installation": installation()}
    found |= {key: value for key, value in more.items() if value is not None}
    return {**found, "boot_id": boot, "process_start": start}


def token() -> str:
    """A name of this process for the names of files, by which `token_is_alive` knows it."""
    return f"{_machine()}-{os.getpid()}-{_start_of(os.getpid()) or 0}"


def token_is_alive(text: str) -> bool | None:
    """Whether the process of a `token` lives; None where it is of another machine, or another start of this one."""
    machine, pid, start = text.split("-")
    if boot_id() is None or machine != _machine():
        return None
    return _start_of(int(pid)) == int(start)


def is_alive(status: Mapping[str, Any]) -> bool | None:
    """Whether the process of a status.json still runs; None where it is another host's or container's, or unknown."""
    if status.get("hostname") != socket.gethostname():
        return None
    try:
        if status.get("boot_id") not in (None, boot_id()):
            # Started anew, unless it is another machine of the same name.
            return None if status.get("installation", installation()) != installation() else False
        if status.get("pid_namespace", pid_namespace()) != pid_namespace():
            return None  # a container and its host have one name, now and then, and other numbers
        process = psutil.Process(int(status["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if status.get("boot_id") is not None:
            return status.get("process_start") == _start_of(process.pid)
        # A process that is younger than the run has only inherited its number. The file counts in whole seconds.
        return process.create_time() <= datetime.fromisoformat(status["started_at"]).timestamp() + 2
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, KeyError, TypeError, ValueError):
        return None


def _machine() -> str:
    machine = (boot_id() or f"{uuid.getnode():x}").replace("-", "")[:12]
    namespace = "".join(character for character in pid_namespace() or "" if character.isdigit())
    return machine if namespace in ("", _FIRST_NAMESPACE) else f"{machine}n{namespace}"


def _start_of(pid: int) -> int | None:
    """When a process started, in ticks of the kernel since the machine did."""
    try:
        # The name of the program, in parentheses, may hold anything. The start is field 22 of all.
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None

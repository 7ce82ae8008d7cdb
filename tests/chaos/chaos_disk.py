"""A disk of its own for the directory of a sweep, so small that a trial can fill it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

CLONE_NEWNS = 0x20000
_OPTIONS = "size=8m,nr_inodes=4000,mode=755"


@functools.cache
def can_mount() -> bool:
    """Whether this process may mount disks. What it mounts is seen by itself and its children alone from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare") or libc.unshare(CLONE_NEWNS):
        return False
    return _run("mount", "--make-rprivate", "/")


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """In this block `directory` is a disk of a few MB. What it holds then is left in its place."""
    directory.mkdir(parents=True)
    if not _run("mount", "-t", "tmpfs", "-o", _OPTIONS, "tmpfs", str(directory)):
        raise OSError(errno.EPERM, "no disk can be mounted", str(directory))
    kept = directory.with_name(f"{directory.name}-kept")
    try:
        yield
    finally:
        shutil.copytree(directory, kept, symlinks=True)
        _run("umount", "-l", str(directory))
        directory.rmdir()
        kept.rename(directory)


def fill(directory: Path, random: Random) -> list[Path]:
    """Use up the bytes of a disk, or the names that it has room for. Returns the files that do so."""
    made: list[Path] = []
    filling = directory / "filling"
    if random.random() < 0.7:
        made.append(filling)
        with contextlib.suppress(OSError), filling.open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(os.statvfs(directory).f_bsize))
        return made
    with contextlib.suppress(OSError):
        while True:
            made.append(filling.with_name(f"filling-{len(made)}"))
            made[-1].touch()
    return made


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False

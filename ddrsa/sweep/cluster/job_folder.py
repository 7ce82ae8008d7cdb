"""The folder of the files that a launcher and its jobs hand to each other as Python objects.

Whoever can write such a file has their code run by the job or by the launcher: it lies in a folder that was not there
before, and that nobody else can write or replace.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from ddrsa.errors import ConfigError

JOB = "%j"  # what submitit replaces by the number of a job


def make_job_folder(folder: Path, key: str) -> Path:
    """Make a new folder for one launcher, beneath `folder` without what is to be named after its jobs.

    key: in the config, for the message. Raises ConfigError where others could put files there.
    """
    parts = folder.absolute().parts
    depth = next((place for place, part in enumerate(parts) if JOB in part), len(parts))
    parent = Path(*parts[:depth])
    umask = os.umask(0o077)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        parent = parent.resolve()
        if (open_to_others := _open_to_others(parent)) is not None:
            raise ConfigError(
                f"{key}={folder}: others can write in {open_to_others}, and what lies in that folder is executed: "
                f"choose one that you alone can write, and that the nodes see, as {key}=$HOME/.submitit/{JOB}"
            )
        made = parent / secrets.token_hex(8)
        made.mkdir()
    except OSError as error:
        raise ConfigError(f"{key}={folder} cannot be made: {error.strerror or error}") from error
    finally:
        os.umask(umask)
    return made.joinpath(*parts[depth:])


def _open_to_others(directory: Path) -> Path | None:
    """The directory, or the one above it, in which somebody else may write or rename files; None where there is none.

    In a sticky directory, as /tmp, nobody else can rename what is one's own.
    """
    for each in (directory, *directory.parents):
        found = each.stat()
        writable = stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
        if found.st_uid not in (0, os.geteuid()) or (writable and not found.st_mode & stat.S_ISVTX):
            return each
    return None

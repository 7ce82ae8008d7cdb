"""Origin of a sweep: place, time and code, by its experiment_manifest.json."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrsa.analysis.planned import planned_runs
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.sweep_files import MANIFEST
from ddrsa.started import typed


@dataclass(frozen=True)
class SweepOrigin:
    """The origin of a sweep, as far as it is known.

    facts: the name of a fact and the fact, for the reader. planned: how many runs it plans, None where it does not say.
    problem: why nothing is known.
    """

    name: str
    path: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    planned: int | None = None
    problem: str | None = None


def origin_of(name: str, path: Path) -> SweepOrigin:
    """The origin of the sweep in `path`, named `name` among several. A file that cannot be read is a `problem`."""
    try:
        manifest = read_manifest(path)
        if manifest is None:
            return SweepOrigin(name, str(path), problem=f"there is no {MANIFEST}: another launcher may have run it")
        return SweepOrigin(name, str(path), _facts(manifest), planned_runs(manifest))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return SweepOrigin(name, str(path), problem=f"{MANIFEST} cannot be read: {' '.join(str(error).split())}")


def _facts(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    command, git = manifest.get("command"), manifest.get("git")
    versions = dict(manifest.get("versions") or {})
    facts = [
        ("Command", shlex.join(typed(list(map(str, command)))) if isinstance(command, list) and command else None),
        ("Directory", manifest.get("working_dir")),
        ("Started", manifest.get("created_at")),
        ("Host", manifest.get("hostname")),
        ("Git commit", _commit(git) if isinstance(git, dict) else "not under version control"),
        ("Versions", ", ".join(f"{package} {version}" for package, version in versions.items()) or None),
    ]
    return [(name, str(fact)) for name, fact in facts if fact is not None]


def _commit(git: dict[str, Any]) -> str:
    changed = " with changes that are not committed" if git.get("dirty") else ", nothing changed since"
    return f"{git.get('commit')}{changed}"

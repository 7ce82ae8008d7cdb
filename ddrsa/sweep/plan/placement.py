"""Placement of runs in directories: a run keeps the one that it had, and never gets that of another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import MANIFEST


def place_runs(sweep_dir: Path, wanted: Sequence[tuple[str, Path]]) -> list[Path]:
    """The directory of each run of `wanted` (identity, directory by the config), in their order.

    A run that lies somewhere in the sweep already stays there, whatever its number is now. Where the wanted directory
    belongs to another run, the identity is added to its name. Runs of one identity get one directory.
    """
    owners = directories_in(sweep_dir)
    places: dict[str, Path] = {}
    for path, owner in owners.items():
        # The same run may lie there twice, after a change of hydra.sweep.subdir: the completed one counts.
        if owner not in places or _is_completed(path):
            places[owner] = path
    for identity, path in wanted:
        if owners.get(path) == identity and not _is_completed(places[identity]):
            places[identity] = path
    result = []
    for identity, path in wanted:
        if identity not in places:
            free = owners.get(path, identity) == identity
            places[identity] = path if free else path.with_name(f"{path.name}_{identity}")
            owners[places[identity]] = identity
        result.append(places[identity])
    return result


def directories_in(sweep_dir: Path) -> dict[Path, str]:
    """The run directories of a sweep and the identity of the run in each, by its status.json.

    Where that is damaged, the manifest of the sweep says whose directory it is.
    """
    manifest = _manifest_owners(sweep_dir)
    found: dict[Path, str] = {}
    for root, folders, files in os.walk(sweep_dir):
        path = Path(root)
        if "status.json" not in files:
            folders.sort()
            continue
        folders.clear()
        status = RunDirectory(path).status_or_empty()
        owner = status.get("run_id") or manifest.get(path)
        if owner is not None:
            found[path] = str(owner)
    return found


def _manifest_owners(sweep_dir: Path) -> dict[Path, str]:
    try:
        manifest = read_json(sweep_dir / MANIFEST) or {}
    except ValueError:
        return {}
    runs = [*manifest.get("runs", []), *manifest.get("earlier_runs", [])]
    return {sweep_dir / run["directory"]: run["identity"] for run in runs}


def _is_completed(path: Path) -> bool:
    return State.of(RunDirectory(path).status_or_empty()) is State.COMPLETED

"""Placement of runs in directories: a run keeps the one that it had, and never gets that of another."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from ddrsa.errors import ConfigError
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import fingerprint
from ddrsa.rundir.identity import in_names, is_of_earlier_version, is_whole
from ddrsa.rundir.manifest import owners_by_manifest
from ddrsa.rundir.states import State
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

_SHOWN = 3


def place_runs(sweep_dir: Path, wanted: Sequence[tuple[str, Path]]) -> list[Path]:
    """The directory of each run of `wanted` (identity, directory by the config), in their order.

    A run that lies somewhere in the sweep already stays there, whatever its number is now. Where the wanted directory
    belongs to another run, the identity is added to its name. Runs of one identity get one directory.

    Raises ConfigError where the runs in `sweep_dir` are of an earlier version, whose ids cannot be trusted.
    """
    owners = directories_in(sweep_dir)
    if any(is_whole(identity) for identity, _ in wanted):
        _refuse_earlier_versions(sweep_dir, owners)
    places: dict[str, Path] = {}
    for path, owner in owners.items():
        # The same run may lie there twice, after a change of hydra.sweep.subdir: the completed one counts.
        if owner not in places or _is_completed(path):
            places[owner] = path
    for identity, path in wanted:
        if owners.get(path) == identity and path != places[identity] and not _is_completed(places[identity]):
            places[identity] = path
    result, beside = [], []
    for identity, path in wanted:
        if identity not in places:
            places[identity] = place_beside(path, identity, owners)
            owners[places[identity]] = identity
            if places[identity] != path:
                beside.append(os.path.relpath(places[identity], sweep_dir))
        result.append(places[identity])
    if beside:
        log.info(
            "%s another config than the runs in their directories, and go beside them: %s",
            count_of(len(beside), "run has", "runs have"),
            ", ".join([*beside[:_SHOWN], *(["..."] if len(beside) > _SHOWN else [])]),
        )
    return result


def place_beside(path: Path, identity: str, owners: Mapping[Path, str]) -> Path:
    """`path`, or where that is another run's by `owners`, one beside it with the identity in its name."""
    for name in (path.name, f"{path.name}_{in_names(identity)}", f"{path.name}_{identity}"):
        if owners.get(path.with_name(name), identity) == identity:
            break
    return path.with_name(name)


def directories_in(sweep_dir: Path) -> dict[Path, str]:
    """The run directories of a sweep and the identity of the run in each, by its status.json.

    Where that is damaged, the manifest of the sweep says whose directory it is.
    """
    manifest: dict[Path, str] | None = None
    found: dict[Path, str] = {}
    for path in _folders_with_status(sweep_dir):
        owner = _known_owner(path)
        if owner is None:
            manifest = owners_by_manifest(sweep_dir) if manifest is None else manifest
            owner = manifest.get(path)
        if owner is not None:
            found[path] = owner
    return found


def _folders_with_status(directory: Path) -> Iterator[Path]:
    """Those beneath `directory`, none of them within another; as `os.walk`, in a third of the time."""
    left = [str(directory)]
    while left:
        folder = left.pop()
        try:
            names = os.listdir(folder)  # noqa: PTH208 - for the speed
            if "status.json" in names:
                yield Path(folder)
                continue
            with os.scandir(folder) as found:
                left += sorted((each.path for each in found if each.is_dir(follow_symlinks=False)), reverse=True)
        except OSError:
            continue


def owner_of(path: Path) -> str | None:
    """The identity of the run in the directory `path`, by its own files; None where they do not tell."""
    owner = RunDirectory(path).status_or_empty().get("run_id")
    return None if owner is None else str(owner)


def _known_owner(path: Path) -> str | None:
    try:
        return _owner_by(str(path), fingerprint(RunDirectory(path).status))
    except OSError:
        return owner_of(path)


@lru_cache(maxsize=65_536)
def _owner_by(path: str, seen: tuple[int, int, int]) -> str | None:  # noqa: ARG001 - of another file, another answer
    """`owner_of`: a search looks at all of its runs for each trial, and few of them have changed."""
    return owner_of(Path(path))


def _refuse_earlier_versions(sweep_dir: Path, owners: Mapping[Path, str]) -> None:
    for path, owner in owners.items():
        if is_of_earlier_version(owner):
            raise ConfigError(
                f"{sweep_dir} has runs of an earlier version of ddrsa ({os.path.relpath(path, sweep_dir)}), which told "
                "runs apart by 32 bits: two of them could be taken for one. They can be analysed, and predict reads "
                "them, but this version does not go on with them: choose another hydra.sweep.dir"
            )


def _is_completed(path: Path) -> bool:
    return State.of(RunDirectory(path).status_or_empty()) is State.COMPLETED

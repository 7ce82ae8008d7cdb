"""The plan of a sweep and its results as its directory holds them, checked as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddrsa.rundir.files import read_json
from ddrsa.rundir.structure import Fields, ListOf, MapTo, check_structure
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS

_RUN = {
    "directory!": str,
    "identity": str,
    "number": int,
    "overrides": ListOf(str),
    "values": MapTo(object),
    "optional": bool,
    "config": MapTo(object),
}
_MANIFEST = Fields(
    {
        "command": ListOf(str),
        "working_dir": str,
        "hostname": str,
        "pid": int,
        "created_at": str,
        "git": (dict, None),
        "versions": MapTo(str),
        "presentation": Fields(
            {
                "not_identity": ListOf(str),
                "kind_keys": ListOf(str),
                "rank_by": MapTo(str),
                "columns": MapTo(str),
                "value_name": (str, None),
                "direction": (str, None),
            }
        ),
        "search": (dict, None),
        "runs": ListOf(Fields({**_RUN, "overrides!": ListOf(str), "config!": MapTo(object)})),
        "earlier_runs": ListOf(Fields(_RUN)),
    }
)
_RESULTS = Fields(
    {
        "counts": MapTo(int),
        "runs": ListOf(Fields({**_RUN, "state!": str, "ended_at": (str, None), "metrics": (dict, None)})),
    }
)


def read_manifest(sweep_dir: Path) -> dict[str, Any] | None:
    """experiment_manifest.json, None where there is none.

    Raises ValueError, which names the file and the key, where it cannot be read or is not as a launcher writes it.
    """
    file = sweep_dir / MANIFEST
    content = read_json(file)
    if content is not None:
        content.setdefault("runs", [])
        check_structure(content, _MANIFEST, file)
    return content


def read_results(sweep_dir: Path) -> dict[str, Any] | None:
    """all_results.json, as `read_manifest`."""
    file = sweep_dir / RESULTS
    content = read_json(file)
    if content is not None:
        check_structure(content, _RESULTS, file)
    return content


def owners_by_manifest(sweep_dir: Path) -> dict[Path, str]:
    """The run directories of the manifest and the identity of the run in each; none where it cannot be read."""
    try:
        manifest = read_manifest(sweep_dir) or {}
    except ValueError:
        return {}
    runs = [*manifest.get("runs", []), *manifest.get("earlier_runs", [])]
    return {sweep_dir / run["directory"]: run["identity"] for run in runs if "identity" in run}

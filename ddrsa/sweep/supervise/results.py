"""Renewal of all_results.json by the runs themselves, where a launcher was killed before it could."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import now, read_json, write_json
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS

log = logging.getLogger(__name__)


def renew_results(sweep_dir: Path) -> None:
    """Give the runs that all_results.json lacks, or shows as not done, the end that their status.json has."""
    try:
        content = read_json(sweep_dir / RESULTS) or {"runs": []}
        entries = [_renewed(sweep_dir, entry) for entry in [*content["runs"], *_missing(sweep_dir, content["runs"])]]
        if entries == content["runs"]:
            return
        counts = dict(Counter(entry["state"] for entry in entries))
        write_json(sweep_dir / RESULTS, {**content, "updated_at": now(), "counts": counts, "runs": entries})
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.debug("%s is not renewed: %s", sweep_dir / RESULTS, error)


def _missing(sweep_dir: Path, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of the runs that stand in the manifest alone."""
    manifest = read_json(sweep_dir / MANIFEST) or {}
    known = {entry["directory"] for entry in entries}
    planned = [run for key in ("runs", "earlier_runs") for run in manifest.get(key, [])]
    keys = ("number", "directory", "identity", "overrides", "values", "optional")
    return [
        {**{key: run.get(key) for key in keys}, "state": State.PENDING}
        for run in planned
        if run["directory"] not in known
    ]


def _renewed(sweep_dir: Path, entry: dict[str, Any]) -> dict[str, Any]:
    if State.of(entry).is_done:
        return entry
    run = RunDirectory(sweep_dir / entry["directory"])
    status = run.status_or_empty(entry["identity"])
    state = State.of(status)
    if not (state.is_done or (state.has_ended and State.of(entry) is State.PENDING and status)):
        return entry
    known = {key: status.get(key) for key in ("state", "error", "return_value", "attempt", "started_at", "ended_at")}
    return {**entry, **known, "metrics": run.read_test_metrics()}

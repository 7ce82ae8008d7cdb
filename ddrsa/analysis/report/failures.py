"""Failed runs, put together by their reason: a thousand of them are often one mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddrsa.analysis.collect import Sweep
from ddrsa.rundir.states import State

# So many reasons, and so many runs of each, are on the page; failures.csv has them all.
MOST_REASONS = 50
MOST_RUNS = 10

# Numbers and addresses differ between runs that failed for one reason.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+")


@dataclass(frozen=True)
class FailureGroup:
    """Runs that ended in one state for one reason. runs: the first of them, with directory and log (None: none)."""

    state: str
    reason: str
    count: int
    runs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Failures:
    """All that went wrong: groups, the largest first; more: how many groups are not among them."""

    count: int
    groups: list[FailureGroup]
    more: int


def failure_groups(sweep: Sweep) -> Failures:
    """The failures of `sweep`, by state and reason; reasons that differ in their numbers only are one."""
    failed = sweep.runs[[State(each).needs_a_look for each in sweep.runs["state"]]]
    found: dict[tuple[str, str], list[dict[Any, Any]]] = {}
    for run in failed[["state", "reason", "directory", "log"]].to_dict("records"):
        reason = run["reason"] if isinstance(run["reason"], str) else ""
        # A reason may hold its own path.
        kind = _VARYING.sub("#", reason.replace(str(run["directory"]), ""))
        found.setdefault((run["state"], kind), []).append({**run, "reason": reason})
    groups = [_group(state, runs) for (state, _), runs in found.items()]
    groups.sort(key=lambda group: -group.count)
    return Failures(len(failed), groups[:MOST_REASONS], max(len(groups) - MOST_REASONS, 0))


def _group(state: str, runs: Sequence[Mapping[str, Any]]) -> FailureGroup:
    reason = runs[0]["reason"] or "no reason is given in status.json"
    shown = [{**run, "log": run["log"] if isinstance(run["log"], str) else None} for run in runs[:MOST_RUNS]]
    return FailureGroup(state.replace("_", " "), reason, len(runs), shown)

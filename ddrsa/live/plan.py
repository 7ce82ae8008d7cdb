"""The runs of a sweep as they are planned, or found where nobody has planned them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrsa.analysis.foreign import is_foreign
from ddrsa.analysis.run_config import read_run_config
from ddrsa.live.inside import beneath
from ddrsa.overrides import override_key, override_parts
from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.schema import NOT_IDENTITY
from ddrsa.sweep.presentation import KEY, Presentation
from ddrsa.sweep.show.run_view import RunView
from ddrsa.sweep.watch import run_names


@dataclass
class Plan:
    """What is to be done in a sweep's directory.

    views: of each run. values: what is swept, key to text, run by run. foreign: whether the runs are those of a Hydra
    app of somebody else's. manifest: the launcher's, None of launchers that write none. left_out: why runs of the
    manifest are not shown. problem: why there is no manifest, where there should be.
    """

    views: list[RunView]
    values: list[dict[str, str]]
    foreign: bool = False
    manifest: dict[str, Any] | None = None
    shown: Presentation = field(default_factory=Presentation)
    left_out: list[str] = field(default_factory=list)
    problem: str | None = None


def read_plan(directory: Path, known: dict[Path, RunView], values: dict[Path, dict[str, str]]) -> Plan:
    """The plan of the sweep in `directory`. known, values: of the runs of an earlier plan, which are kept."""
    try:
        manifest = read_manifest(directory)
    except (OSError, ValueError) as error:
        plan = _found(directory, known, values)
        plan.problem = " ".join(str(error).split())
        return plan
    return _found(directory, known, values) if manifest is None else _planned(directory, manifest, known)


def _planned(directory: Path, manifest: dict[str, Any], known: dict[Path, RunView]) -> Plan:
    shown = Presentation.of(manifest.get(KEY))
    plan = Plan([], [], manifest=manifest, shown=shown)
    runs: list[dict[str, Any]] = manifest["runs"]
    names = run_names([run["overrides"] for run in runs], shown) if runs else []
    for name, run in zip(names, runs, strict=True):
        path = beneath(directory, run["directory"])
        if path is None:
            plan.left_out.append(f"{run['directory']} lies outside of the sweep's directory")
            continue
        view = known.get(path)
        if view is None:
            kind = shown.kind_of(run["config"])
            view = RunView(name or run["directory"], path, kind, optional=bool(run.get("optional")))
        plan.views.append(view)
        plan.values.append({str(key): str(value) for key, value in (run.get("values") or {}).items()})
    if runs:
        plan.foreign = is_foreign(_keys(runs[0]["config"]))
    return plan


def _found(directory: Path, known: dict[Path, RunView], values: dict[Path, dict[str, str]]) -> Plan:
    plan = Plan([], [])
    runs = find_runs(directory)
    for run in runs:
        own = values.get(run.path)
        plan.values.append(_overrides(run) if own is None else own)
        plan.views.append(known.get(run.path) or RunView(_name(run, directory, plan.values[-1]), run.path))
    if runs:
        try:
            plan.foreign = is_foreign(read_run_config(runs[0].config))
        except ValueError:
            plan.foreign = True
    return plan


def _overrides(run: RunDirectory) -> dict[str, str]:
    try:
        found = read_yaml(run.overrides)
    except (OSError, ValueError):
        return {}
    texts = [str(each) for each in found] if isinstance(found, list) else []
    return dict(override_parts(text) for text in texts if override_key(text) not in NOT_IDENTITY)


def _name(run: RunDirectory, directory: Path, values: dict[str, str]) -> str:
    place = run.path.relative_to(directory).as_posix()
    return " ".join(f"{key}={value}" for key, value in values.items()) or (run.path.name if place == "." else place)


def _keys(config: dict[Any, Any]) -> Collection[str]:
    nested = (f"{key}." for key, value in config.items() if isinstance(value, dict))
    return {*map(str, config), *nested}

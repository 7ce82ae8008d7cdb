"""Every JSON and YAML file of a sweep in a wrong structure, before every command that reads it: no traceback."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from analysis_runs import run_maker

from ddrsa.analysis.analysis import analyze
from ddrsa.analysis.commands import resume as resume_command
from ddrsa.analysis.commands import sweep_further, train_again
from ddrsa.analysis.criterion import Choice
from ddrsa.errors import UsageError
from ddrsa.rundir.claims import Claim
from ddrsa.rundir.directory import find_runs
from ddrsa.rundir.files import write_json
from ddrsa.rundir.manifest import owners_by_manifest
from ddrsa.rundir.process_identity import this_process
from ddrsa.sweep import watch
from ddrsa.sweep.__main__ import main as sweep_command
from ddrsa.sweep.resume import resumed_arguments
from ddrsa.sweep.supervise.record import SweepRecord
from ddrsa.sweep.supervise.results import renew_results

VALUES: tuple[Any, ...] = (None, [], {}, "x", [None], {"a": 1}, -1, 2.5, True, [[["x"]]], "\x1b[31m")
WHOLE = (
    *(b"", b"null", b"[1]", b"{}", b'"x"', b"7", b"\xff\xfe{}", b"[" * 5000, b'{"schema_version": 1}', b"a: *b", b"\0"),
)
FILES = (
    *("experiment_manifest.json", "all_results.json", "multirun.yaml"),
    *(f"{{run}}/{name}" for name in ("status.json", "test_metrics.json", ".lock", ".owner-1")),
    *(f"{{run}}/.hydra/{name}.yaml" for name in ("config", "hydra", "overrides")),
)
SEARCH = {"n_trials": 3, "study_name": "s", "storage": None, "objective": None, "direction": "minimize"}
HYDRA = {
    "runtime": {"cwd": "/", "config_sources": [{"path": "/conf", "schema": "file", "provider": "main"}]},
    "job": {"name": "train", "config_name": "config"},
    "sweeper": SEARCH,
    "launcher": {"_target_": "x", "direction": None},
    "overrides": {"hydra": ["hydra.launcher.n_jobs=2"], "task": ["seed=0,1"]},
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with all files that there may be."""
    path = tmp_path_factory.mktemp("sweeps") / "sweep"
    path.mkdir()
    make = run_maker(path)
    runs = [make(seed=seed, batch_size=size) for seed in (0, 1) for size in (32, 64)]
    planned = []
    for number, run in enumerate(runs):
        claim = Claim.take(run.path)
        assert claim is not None
        claim.release()
        run.overrides.write_text(yaml.safe_dump(["batch_size=32", f"seed={number}"]))
        (run.config.parent / "hydra.yaml").write_text(yaml.safe_dump({"hydra": HYDRA}))
        described = {"number": number, "directory": str(run.path.relative_to(path)), "identity": f"id{number}"}
        planned.append({**described, "overrides": [f"seed={number}"], "values": {"seed": number}, "optional": False})
    process = {**this_process(), "process_start": 0}
    write_json(
        path / "experiment_manifest.json",
        {
            "created_at": "2026-11-21T10:00:00+00:00", "command": ["train.py", "-m"], "working_dir": "/", **process,
            "git": {"commit": "a"}, "versions": {"python": "3"}, "search": {"seed": 1},
            "presentation": {"not_identity": [], "kind_keys": [], "rank_by": {}, "columns": {}},
            "runs": [{**run, "config": {"a": 1}} for run in planned[:3]], "earlier_runs": planned[3:],
        },
    )  # fmt: skip
    results = [{**run, "state": "completed", "ended_at": None, "metrics": {"nll": 1.0}} for run in planned]
    write_json(path / "all_results.json", {"counts": {"completed": 4}, "runs": results})
    (path / "multirun.yaml").write_text(yaml.safe_dump({"hydra": HYDRA, "scripts": {"objective": "loss"}}))
    return path


def wrong(file: Path) -> Iterator[bytes]:
    """The content of a file, and then with each of its values replaced by each of `VALUES`, down to the third level."""
    yield from WHOLE
    text = file.read_text()
    is_json = text.startswith("{")
    content = json.loads(text) if is_json else yaml.safe_load(text)
    if isinstance(content, dict):
        content.pop("checksum", None)  # by which it would be refused before it is looked at
    for keys in list(_places(content)):
        for value in (*VALUES, "missing"):
            changed = copy.deepcopy(content)
            inner = changed
            for key in keys[:-1]:
                inner = inner[key]
            inner[keys[-1]] = value
            if value == "missing":
                del inner[keys[-1]]
            yield (json.dumps(changed) if is_json else yaml.safe_dump(changed)).encode()


def _places(content: Any, depth: int = 4) -> Iterator[tuple[Any, ...]]:
    keys: Any = content.keys() if isinstance(content, dict) else ()
    if isinstance(content, list):
        keys = range(min(len(content), 1))
    for key in keys:
        yield (key,)
        if depth:
            yield from ((key, *inner) for inner in _places(content[key], depth - 1))


def look(sweep: Path) -> None:
    """As `analyze.py`."""
    analysis = analyze({"": sweep}, sweep, Choice())
    for run in find_runs(sweep):
        train_again(run, {"seed": 0}, 3)
        sweep_further(run, {"seed": 0}, {"seed": [1, 2]})
    resume_command(sweep)
    assert len(analysis.sweep.runs) >= 3


def go_on(sweep: Path) -> None:
    """What the same command does with what is there, before it starts a run."""
    owners_by_manifest(sweep)
    record = SweepRecord(sweep)
    record.plan([])
    record.write(now_or_never=True)
    renew_results(sweep)
    for run in find_runs(sweep):
        if (claim := Claim.take(run.path)) is not None:  # None where a minute must pass: it is another machine's
            claim.release()
        status = run.status_or_empty()
        run.has_its_result(status)
        run.begin(str(status.get("run_id", "id")))
        run.end("completed")


COMMANDS: dict[str, Callable[[Path], object]] = {
    "watch": lambda sweep: sweep_command(["watch", str(sweep)]),
    "best": lambda sweep: sweep_command(["best", str(sweep)]),
    "resume": lambda sweep: sweep_command(["resume", str(sweep)]),
    "resume=": lambda sweep: resumed_arguments([f"resume={sweep}"]),
    "analyze": look,
    "go on": go_on,
}


def survey(sweep: Path, directory: Path, name: str, contents: list[bytes]) -> list[str]:
    """What raised anything but an error of one line."""
    found = []
    for number, content in enumerate(contents):
        copied = directory / str(number)
        shutil.copytree(sweep, copied)
        file = copied / name.format(run=find_runs(copied)[0].path.relative_to(copied))
        file.write_bytes(content)
        for command, do in COMMANDS.items():
            try:
                do(copied)
            except UsageError:
                continue  # one line
            except Exception as error:
                found.append(f"{command} with {content[-300:]!r}: {type(error).__name__}: {error}")
        shutil.rmtree(copied)
    return found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(watch, "SETTLED_SECONDS", 0.0)


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_structure_is_no_traceback(sweep: Path, tmp_path: Path, name: str) -> None:
    file = sweep / name.format(run=find_runs(sweep)[0].path.relative_to(sweep))
    contents = Random(name).sample(list(wrong(file)), 3)
    assert survey(sweep, tmp_path, name, contents) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FILES)
def test_no_wrong_structure_is_a_traceback(sweep: Path, tmp_path: Path, name: str) -> None:
    file = sweep / name.format(run=find_runs(sweep)[0].path.relative_to(sweep))
    assert survey(sweep, tmp_path, name, list(wrong(file))) == []

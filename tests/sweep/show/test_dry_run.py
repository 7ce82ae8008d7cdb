"""dry_run=true, on real sweeps by the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from programs import LAUNCHING_SCRIPTS, run_program

from ddrsa.rundir.directory import find_runs
from ddrsa.rundir.files import now, write_json
from ddrsa.rundir.process_identity import this_process

ROOT = Path(__file__).parents[3]
TINY = [
    "dataset.num_units=10",
    "lookback=6",
    "horizon=20",
    "num_epochs=2",
    "batch_size=256",
    "model.hidden_size=4",
    "device=cpu",
    "hydra.sweep.dir=sweep",
]


def train(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DDRSA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    flags = [override for override in overrides if override == "-m"]
    given = (*flags, *TINY, *(each for each in overrides if each != "-m"))
    return run_program(ROOT / "train.py", *given, imports=LAUNCHING_SCRIPTS, cwd=folder, env=environ)


def content(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "launcher", ["supervised", *(pytest.param(name, marks=pytest.mark.slow) for name in ("joblib", "basic"))]
)
def test_it_prints_all_and_writes_nothing(tmp_path: Path, launcher: str) -> None:
    done = train(tmp_path, "-m", "model=lstm,gru", "seed=0,1", "dry_run=true", f"hydra/launcher={launcher}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "dry run: nothing is started, nothing is written; the sweep is sweep"
    runs = [
        re.fullmatch(r" +(\d)  new  model=(\w+) +seed=(\d) +logs/simulated/(\w+)/\S+_s(\d)_\w{16}", x)
        for x in lines[1:5]
    ]
    found = [run.groups() for run in runs if run is not None]
    assert found == [
        (str(2 * m + seed), model, str(seed), model, str(seed))
        for m, model in enumerate(["lstm", "gru"])
        for seed in (0, 1)
    ]
    assert lines[5:] == [
        "4 of 4 runs would start, 0 are done",
        "how long that takes is not known: no run has completed there",
    ]
    assert content(tmp_path) == {}


@pytest.mark.slow
def test_states_count_and_time_of_a_sweep_that_grows(tmp_path: Path) -> None:
    done = train(tmp_path, "-m", "seed=0,1")
    assert done.returncode == 0, done.stderr
    first, _ = find_runs(tmp_path / "sweep")
    status = first.read_status()
    assert status is not None
    for run in find_runs(tmp_path / "sweep"):
        times = {"seconds": 600.0}
        write_json(run.status, {**(run.read_status() or {}), **times})
    before = content(tmp_path)
    # In another order, with a new value; the interval of hydra.launcher.n_jobs counts.
    grown = train(tmp_path, "-m", "seed=2,1,0,3,4", "hydra.launcher.n_jobs=2", "dry_run=true", "exclude=seed == 4")
    assert grown.returncode == 0, grown.stderr
    assert re.findall(r"(\d)  (new|completed) +seed=(\d)", grown.stdout) == [
        ("0", "new", "2"),
        ("1", "completed", "1"),
        ("2", "completed", "0"),
        ("3", "new", "3"),
    ]
    assert '4 of 5 runs selected by exclude="seed == 4"' in grown.stdout
    assert grown.stdout.splitlines()[-2:] == [
        "2 of 4 runs would start, 2 are done",
        "about 10 min with 2 at once, by the 2 runs that have completed there",
    ]
    # What is not planned now counts for the time.
    other = train(tmp_path, "-m", "seed=5,6,7", "hydra.launcher.n_jobs=1", "dry_run=true")
    assert other.stdout.splitlines()[-1] == "about 30 min with 1 at once, by the 2 runs that have completed there"
    assert content(tmp_path) == before

    # One is under way, in this process; another was, in a process that is gone.
    running = {**status, "state": "running", "started_at": now(), **this_process()}
    write_json(first.status, running)
    busy = train(tmp_path, "-m", "seed=0,1", "dry_run=true").stdout
    assert "0 of 2 runs would start, 1 is done, 1 is under way in another process" in busy
    write_json(first.status, {**running, "process_start": 1})
    lost = train(tmp_path, "-m", "seed=0,1", "dry_run=true").stdout
    assert re.search(r"0  lost  +seed=0", lost)
    assert "1 of 2 runs would start, 1 is done\n" in lost
    before = content(tmp_path)

    single = train(tmp_path, "seed=1", "dry_run=true")
    assert single.returncode == 0, single.stderr
    assert "completed  " in single.stdout
    assert single.stdout.splitlines()[-1] == "0 of 1 run would start"
    assert content(tmp_path) == before


def test_a_single_run(tmp_path: Path) -> None:
    done = train(tmp_path, "model=gru", "dry_run=true")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^new  .*model=gru  sweep/logs/simulated/gru/\S+$", done.stdout, re.MULTILINE)
    assert "dry_run" not in done.stdout
    assert done.stdout.splitlines()[-1] == "1 of 1 run would start"
    assert content(tmp_path) == {}


def test_an_error_is_found_by_it(tmp_path: Path) -> None:
    for flags in (["-m"], []):
        done = train(tmp_path, *flags, "batch_size=0", "dry_run=true")
        assert (done.returncode, done.stdout) == (2, "")
        assert "batch_size=0: allowed is 1 or more" in done.stderr
    assert content(tmp_path) == {}


def test_selected_and_paired_runs_are_done(tmp_path: Path) -> None:
    done = train(
        tmp_path,
        *("-m", "lookback=6,8", "horizon=20,30", "seed=0,1", "zip=[lookback,horizon]"),
        *("only=horizon > 20 or seed == 1", "exclude=seed == 1 and lookback in [8]"),
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 4 runs selected by" in done.stdout
    configs = [run.config.read_text() for run in find_runs(tmp_path / "sweep")]
    assert len(configs) == 2
    for lookback, horizon, seed in ((6, 20, 1), (8, 30, 0)):
        parts = {f"lookback: {lookback}", f"horizon: {horizon}", f"seed: {seed}"}
        assert sum(parts <= set(config.splitlines()) for config in configs) == 1


def test_a_selection_that_leaves_nothing(tmp_path: Path) -> None:
    done = train(tmp_path, "-m", "seed=0,1", "only=seed > 1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'error: only="seed > 1" leaves none of 2 runs\n'
    assert content(tmp_path) == {}


@pytest.mark.parametrize("override", ["only=seed > 1", "exclude=seed > 1", "zip=[seed,fold]"])
def test_a_single_run_has_nothing_to_choose_from(tmp_path: Path, override: str) -> None:
    done = train(tmp_path, override)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("it chooses among the runs of a sweep, which needs -m\n")
    assert content(tmp_path) == {}


def test_a_dry_run_whose_reader_has_gone_starts_nothing(tmp_path: Path) -> None:
    # -u: so that the second line is written, and fails, while the dry run is still being printed.
    command = f"{sys.executable} -u {ROOT / 'train.py'} dry_run=true | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert list(tmp_path.iterdir()) == []

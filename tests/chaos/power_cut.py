"""`make chaos-power N=200 SEED=0`: sweeps and searches that go on from what a power cut may leave of their files."""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import psutil
from chaos_bench import ChaosBench, require
from chaos_trial import COMMANDS, References
from power_disk import Disk
from power_trace import Operation, trace

import ddrsa
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS
from ddrsa.sweep.resume import resumed_arguments

# The machine was down for so long: others may take what its runs have claimed for given up.
SECONDS_OF_A_CUT = 3600


def record(kind: str, directory: Path) -> tuple[Path, list[Operation]]:
    """Trace a sweep, or a search, that nothing disturbs. Returns the directory of the sweep, and what was done there.

    Raises CheckFailed where the model of the disk does not end with the files that are there.
    """
    bench = ChaosBench(directory, COMMANDS[kind])
    with bench:
        command = [sys.executable, "chaos_app.py", "-m", *bench.command]
        operations = trace(command, directory, {**os.environ, **bench.environ}, bench.sweep)
        disk = Disk(bench.sweep)
        for operation in operations:
            disk.do(operation)
        disk.write_now(directory / "model")
        differences = _differences(bench.sweep, directory / "model")
        require(not differences, f"the model of the disk differs: {differences}")
    return bench.sweep, operations


def go_on(seed: int, kind: str, traced: tuple[Path, list[Operation]], directory: Path, expected: dict[str, Any]) -> str:
    """Cut the power at a moment that the seed chooses, read what is left, and go on from it. Returns what was cut.

    Raises CheckFailed.
    """
    random = Random(seed)
    sweep, operations = traced
    moment = random.randint(0, len(operations))
    disk = Disk(sweep)
    for operation in operations[:moment]:
        disk.do(operation)
    with ChaosBench(directory, COMMANDS[kind]) as bench:
        disk.write_after_cut(bench.sweep, random)
        for path in bench.sweep.rglob("*"):
            os.utime(path, (time.time() - SECONDS_OF_A_CUT,) * 2)
        done = _read(bench.sweep)
        require(bench.begin().wait() == 0, "the sweep does not go on")
        begun = {f"x{event['x']}" for event in bench.events("begins")}
        require(not begun & done, f"done again: {sorted(begun & done)}")
        bench.check(expected)
    shutil.rmtree(directory)
    return f"after {moment} of {len(operations)} operations, {len(done)} runs done"


def _read(sweep: Path) -> set[str]:
    """Read all that the commands read; the runs that are done. Raises where something is damaged."""
    for name in (MANIFEST, RESULTS):
        read_json(sweep / name)
    if (sweep / "multirun.yaml").exists():
        resumed_arguments([f"resume={sweep}"], trusted=True)
    done = set()
    for file in sorted(sweep.glob("*/status.json")):
        run = RunDirectory(file.parent)
        state = State.of(run.read_status() or {})
        require(state is not State.UNREADABLE, f"{file} cannot be read")
        if state.is_done:
            require("x" in (read_json_of_yaml(run.config)), f"{run.config} is not that of a completed run")
            done.add(file.parent.name)
        read_json(run.path / "checkpoint_last.json")
    return done


def read_json_of_yaml(path: Path) -> dict[str, Any]:
    """The plain content of a YAML file."""
    import yaml

    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def _differences(one: Path, other: Path) -> list[str]:
    found: list[str] = []
    compared = [(one, other)]
    for left, right in compared:  # grows
        result = filecmp.dircmp(left, right, ignore=[])
        _, different, failed = filecmp.cmpfiles(left, right, result.common_files, shallow=False)
        found += [str(left / name) for name in (*result.left_only, *result.right_only, *different, *failed)]
        compared += [(left / name, right / name) for name in result.common_dirs]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=["grid", "search"], choices=sorted(COMMANDS))
    parser.add_argument("--directory", type=Path, default=None, help="where what was found is kept")
    options = parser.parse_args()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="ddrsa-power-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"{ddrsa.__file__} on {psutil.cpu_count()} cores, in {directory}")
    references = References(directory)
    traced = {kind: record(kind, directory / f"traced-{kind}") for kind in options.kinds}
    found = 0
    for seed in range(options.seed, options.seed + options.trials):
        kind = options.kinds[seed % len(options.kinds)]
        try:
            seen = go_on(seed, kind, traced[kind], directory / f"cut-{seed}", references[kind])
        except Exception as error:
            found += 1
            seen = f"FOUND {type(error).__name__}: {error}"
        print(f"{seed} {kind}: {seen}", flush=True)
    print(f"{options.trials} power cuts, {found} with a finding")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())

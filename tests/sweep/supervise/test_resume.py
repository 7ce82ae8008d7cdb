"""The same sweep again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from supervised import Sweeps

from ddrsa.sweep.verify.bench import until


def test_only_what_is_new_or_failed_runs_again_in_any_order(sweeps: Sweeps) -> None:
    sweeps.do({2: "raise"})
    assert sweeps.run("x=1,2,3")[0] == 1
    sweeps.do({})
    exit_code, output = sweeps.run("x=5,3,2,1,4")
    assert exit_code == 0, output
    assert sorted(start["x"] for start in sweeps.starts()) == [1, 2, 2, 3, 4, 5]
    assert sweeps.results()["counts"] == {"completed": 5}
    assert [run["return_value"] for run in sweeps.results()["runs"]] == [50, 30, 20, 10, 40]


@pytest.mark.parametrize("subdir", ["${hydra:job.num}", "all"])
def test_directories_named_by_number_or_not_at_all(sweeps: Sweeps, subdir: str) -> None:
    subdir = f"hydra.sweep.subdir='{subdir}'"
    assert sweeps.run("x=1,2", subdir)[0] == 0
    exit_code, output = sweeps.run("x=7,2,1", subdir)
    assert exit_code == 0, output
    starts = sweeps.starts()
    assert [start["x"] for start in starts[:2]] in ([1, 2], [2, 1])
    assert [start["x"] for start in starts[2:]] == [7]
    assert len({start["directory"] for start in starts}) == 3
    assert set(sweeps.states().values()) == {"completed"}
    assert sweeps.run("x=1,2,7", subdir)[0] == 0
    assert len(sweeps.starts()) == 3


def test_the_same_value_twice_is_one_run(sweeps: Sweeps) -> None:
    exit_code, output = sweeps.run("x=1,1,2")
    assert exit_code == 0, output
    assert sorted(start["x"] for start in sweeps.starts()) == [1, 2]


def test_damaged_status_files(sweeps: Sweeps) -> None:
    subdir = "hydra.sweep.subdir='${hydra:job.num}'"
    assert sweeps.run("x=1,2,3,4", subdir)[0] == 0
    whole = sweeps.path("0").status.read_text()
    for name, damaged in {"0": whole[: len(whole) // 2], "1": "", "2": "[]"}.items():
        sweeps.path(name).status.write_text(damaged)
    exit_code, output = sweeps.run("x=4,3,2,1", subdir)
    assert exit_code == 0, output
    assert sorted(start["x"] for start in sweeps.starts()) == [1, 1, 2, 2, 3, 3, 4]
    assert sweeps.states() == dict.fromkeys("0123", "completed")
    assert [sweeps.status(name)["return_value"] for name in "0123"] == [10, 20, 30, 40]
    assert output.count("status.json") >= 3


def test_a_damaged_manifest_and_results_are_written_anew(sweeps: Sweeps) -> None:
    assert sweeps.run("x=1,2")[0] == 0
    for name in ("experiment_manifest.json", "all_results.json"):
        file = sweeps.directory / "sweep" / name
        file.write_text(file.read_text()[:100])
    exit_code, output = sweeps.run("x=1,2")
    assert exit_code == 0, output
    assert sweeps.results()["counts"] == {"completed": 2}
    assert len(sweeps.starts()) == 2


def test_earlier_results_stay(sweeps: Sweeps) -> None:
    assert sweeps.run("x=1,2")[0] == 0
    assert sweeps.run("x=3,4")[0] == 0
    assert sorted(run["return_value"] for run in sweeps.results()["runs"]) == [10, 20, 30, 40]
    manifest = json.loads((sweeps.directory / "sweep" / "experiment_manifest.json").read_text())
    assert [run["directory"] for run in manifest["earlier_runs"]] == ["x1", "x2"]


@pytest.fixture
def small_disk(sweeps: Sweeps) -> Iterator[Path]:
    """A disk of 500 kB where the sweep goes."""
    path = sweeps.directory / "sweep"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_loses_nothing_that_was_done(sweeps: Sweeps, small_disk: Path) -> None:
    assert sweeps.run("x=1,2", "count=3")[0] == 0
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    # A sweep does not begin without room for 64 KiB; three more runs take more than this.
    ballast.write_bytes(b"0" * (free - 18 * 4096))
    before = sweeps.states()
    process = sweeps.start("x=range(1,6)", "count=3")
    lines = sweeps.printed_by(process)
    until(lambda: any("is full" in line for line in lines), "it is not said that the disk is full")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert not any("Traceback" in line for line in lines)
    assert {name: state for name, state in sweeps.states().items() if name in before} == before
    ballast.unlink()
    exit_code, output = sweeps.run("x=range(1,6)", "count=3")
    assert exit_code == 0, output
    assert sweeps.results()["counts"] == {"completed": 5}
    assert not list(small_disk.rglob("*.tmp"))
    assert [start["x"] for start in sweeps.starts()].count(1) == 1

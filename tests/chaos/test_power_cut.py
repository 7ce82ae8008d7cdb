"""Power cuts: the model of the disk, and sweeps that go on from what it says may be left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from power_disk import Disk
from power_trace import Operation, trace

from ddrsa.rundir.files import atomic_write

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
WRITES = """
import sys
from pathlib import Path
from ddrsa.rundir.files import atomic_write
directory = Path(sys.argv[1]) / "a" / "b"
directory.mkdir(parents=True)
for content in ("first", "second"):
    with atomic_write(directory / "file", durable=sys.argv[2] == "durable") as stream:
        stream.write(content)
"""


def left_after_cuts(directory: Path, operations: list[Operation], root: Path) -> set[str | None]:
    """What the file may hold after a cut at the end; None where it may be missing."""
    found: set[str | None] = set()
    for seed in range(60):
        disk = Disk(root)
        for operation in operations:
            disk.do(operation)
        disk.write_after_cut(directory / str(seed), Random(seed))
        file = directory / str(seed) / "a" / "b" / "file"
        found.add(file.read_text() if file.exists() else None)
    return found


@needs_strace
@pytest.mark.parametrize(("durable", "expected"), [("durable", {"second"}), ("not durable", {None, "first", "second"})])
def test_what_was_written_durably_is_there_after_a_cut(tmp_path: Path, durable: str, expected: set[str | None]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    command = [sys.executable, "-c", WRITES, str(root), durable]
    operations = trace(command, tmp_path, os.environ, root)
    assert left_after_cuts(tmp_path / "cuts", operations, root) == expected


def test_a_file_that_nobody_has_synced_may_be_missing_torn_or_zeroed(tmp_path: Path) -> None:
    file = str(tmp_path / "a" / "b" / "file")
    made = [Operation("mkdir", str(tmp_path / "a")), Operation("mkdir", str(tmp_path / "a" / "b"))]
    synced = [Operation("sync", str(tmp_path / name)) for name in ("a/b", "a", ".")]
    found = left_after_cuts(
        tmp_path / "cuts", [*made, Operation("create", file), *synced, Operation("write", file, b"12345")], tmp_path
    )
    assert {"", "12345"} < found
    assert any(text is not None and text.endswith("\0") for text in found)
    assert None not in found


def test_a_name_is_synced_as_soon_as_a_file_is_there_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    directory = tmp_path / "new" / "directory"
    directory.mkdir(parents=True)
    with atomic_write(directory / "file") as stream:
        stream.write("x")
    assert synced[1:4] == [str(directory), str(tmp_path / "new"), str(tmp_path)]
    synced.clear()
    with atomic_write(directory / "file", durable=False) as stream:
        stream.write("y")
    assert str(directory) not in synced


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sweeps_and_searches_go_on_from_what_a_power_cut_leaves(tmp_path: Path) -> None:
    program = Path(__file__).with_name("power_cut.py")
    command = [sys.executable, str(program), "--trials", "20", "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 power cuts, 0 with a finding" in done.stdout

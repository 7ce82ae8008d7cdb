"""Temporary files of processes that died: swept away, and nobody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ddrsa.rundir.claims import claimed
from ddrsa.rundir.files import remove_leftovers, temporary_beside

WRITER = """
import sys
from pathlib import Path
from ddrsa.rundir.files import atomic_write
with atomic_write(Path(sys.argv[1])) as stream:
    print("half", flush=True)
    sys.stdin.readline()
"""


def half_written(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has begun to write `path`, and its temporary file."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    (file,) = path.parent.glob(f".{path.name}.*.tmp")
    return process, file


def test_files_of_the_dead_are_swept_away_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    dead, its_file = half_written(tmp_path / "status.json")
    dead.kill()
    dead.communicate()
    living, file_of_the_living = half_written(tmp_path / "test_metrics.json")
    ours = temporary_beside(tmp_path / "run.log")
    # Named as by a process of another machine, and as by earlier versions: only the owner of a run may judge.
    elsewhere = tmp_path / ".status.json.0123456789ab-17-99-0a1b2c3d.tmp"
    earlier = tmp_path / f".status.json.{'0a' * 16}.tmp"
    others = [tmp_path / ".mine.tmp", tmp_path / "notes.tmp"]  # of the task itself
    for path in (ours, elsewhere, earlier, *others):
        path.touch()
    remove_leftovers(tmp_path, owned=False)
    assert not its_file.exists()
    kept = {file_of_the_living, ours, *others}
    assert set(tmp_path.glob("*.tmp")) == {*kept, elsewhere, earlier}
    with claimed(tmp_path):
        assert set(tmp_path.glob("*.tmp")) == kept
    living.communicate("\n")
    assert (tmp_path / "test_metrics.json").exists()
    assert not file_of_the_living.exists()

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from ddrsa.data.cache import cached, content_key
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError

# One of several processes that ask for the same entry: it counts each build by a line in a file, builds slowly, and
# checks every value that it gets.
WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from ddrsa.data.cache import cached
from ddrsa.data.sequences import Sequences

folder, number = Path(sys.argv[1]), sys.argv[2]
ROWS = 20_000

def build():
    with (folder / "builds").open("a") as stream:
        stream.write(number + "\\n")
    time.sleep(0.3)
    features = np.arange(ROWS * 4, dtype=np.float32).reshape(ROWS, 4)
    time_to_event = np.arange(ROWS, dtype=np.float32)[::-1].copy()
    return {"whole": Sequences(features, np.ones(ROWS, np.int64), time_to_event, np.ones(ROWS, bool), tuple("abcd"))}

(folder / f"ready{number}").touch()
while not (folder / "go").exists():
    time.sleep(0.005)
for _ in range(3):
    whole = cached(folder / "cache", "key", build)["whole"]
    assert (whole.features.ravel() == np.arange(ROWS * 4)).all()
"""


def _run_workers(folder: Path, count: int) -> list[str]:
    """Let `count` processes loose at the same moment; the numbers of those that built."""
    (folder / "builds").write_text("")
    (folder / "go").unlink(missing_ok=True)
    for ready in folder.glob("ready*"):
        ready.unlink()
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(number)], stderr=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    deadline = time.monotonic() + 60
    while len(list(folder.glob("ready*"))) < count:
        assert time.monotonic() < deadline, "the workers did not start"
        assert all(worker.poll() is None for worker in workers), [w.communicate()[1] for w in workers if w.poll()]
        time.sleep(0.01)
    (folder / "go").touch()
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
    return (folder / "builds").read_text().split()


def test_many_processes_at_once_build_once_and_rebuild_once(tmp_path: Path) -> None:
    assert len(_run_workers(tmp_path, 5)) == 1
    entries = tmp_path / "cache" / "datasets"
    assert {path.name for path in entries.iterdir()} == {"key", "key.lock"}

    features = entries / "key" / "whole" / "features.npy"
    features.write_bytes(features.read_bytes()[:1000])
    assert len(_run_workers(tmp_path, 5)) == 1
    assert {path.name for path in entries.iterdir()} == {"key", "key.lock"}


def test_an_entry_is_what_was_built(tmp_path: Path, make_sequences: Callable[..., Sequences]) -> None:
    parts = {"run_to_failure": make_sequences((3, 2)), "official": make_sequences((4,))}
    for builds in (lambda: parts, lambda: pytest.fail("it was in the cache")):
        loaded = cached(tmp_path, "key", builds)
        assert list(loaded) == list(parts)
        for name, sequences in parts.items():
            assert isinstance(loaded[name].features, np.memmap)
            np.testing.assert_array_equal(loaded[name].features, sequences.features)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "parts.json").unlink(),
        lambda entry: (entry / "parts.json").write_text("["),
        lambda entry: (entry / "all" / "unit.npy").write_bytes(b""),
        lambda entry: (entry / "all" / "meta.json").unlink(),
    ],
)
def test_a_damaged_entry_is_built_anew_and_said(
    tmp_path: Path,
    make_sequences: Callable[..., Sequences],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], object],
) -> None:
    sequences = make_sequences((3, 2))
    cached(tmp_path, "key", lambda: {"all": sequences})
    damage(tmp_path / "datasets" / "key")
    builds = []

    def build() -> dict[str, Sequences]:
        builds.append(1)
        return {"all": sequences}

    with caplog.at_level(logging.WARNING):
        again = cached(tmp_path, "key", build)
    assert builds == [1]
    assert "the cache entry is damaged" in caplog.text
    np.testing.assert_array_equal(again["all"].features, sequences.features)


def test_a_build_that_fails_leaves_nothing_and_the_next_one_works(
    tmp_path: Path, make_sequences: Callable[..., Sequences]
) -> None:
    def fail() -> NoReturn:
        raise DataError("no such file")

    with pytest.raises(DataError, match="no such file"):
        cached(tmp_path, "key", fail)
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["key.lock"]
    assert cached(tmp_path, "key", lambda: {"all": make_sequences((2,))})["all"].num_rows == 2


def test_what_a_killed_build_left_is_removed(tmp_path: Path, make_sequences: Callable[..., Sequences]) -> None:
    left = tmp_path / "datasets" / ".key-abc"
    left.mkdir(parents=True)
    (left / "features.npy").write_bytes(b"half")
    cached(tmp_path, "key", lambda: {"all": make_sequences((2,))})
    assert not left.exists()


def test_a_cache_dir_that_is_a_file_is_named(tmp_path: Path, make_sequences: Callable[..., Sequences]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=f"cache_dir {tmp_path / 'file'} cannot be used"):
        cached(tmp_path / "file", "key", lambda: {"all": make_sequences((2,))})


def test_the_key_depends_on_options_names_and_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    keys = [
        content_key({"a": 1, "b": 2}, [one]),
        content_key({"a": 2, "b": 2}, [one]),
        content_key({"a": 1, "b": 2}, [two]),
        content_key({"a": 1, "b": 2}, [one, two]),
        content_key({"a": 1, "b": 2}, []),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key({"b": 2, "a": 1}, [one]) == keys[0]
    one.write_text("3")
    assert content_key({"a": 1, "b": 2}, [one]) not in keys
    with pytest.raises(DataError, match="cannot be read"):
        content_key({}, [tmp_path / "none"])

"""Weights & Biases, offline: what it would send, read back from its files."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tracked import TrackedSweep, tell

from ddrsa.rundir.states import State
from ddrsa.tracking.wandb import WandbOptions, WandbTracker

pytest.importorskip("wandb")
BLOCK, FULL, FIRST, LAST = 32768, 1, 2, 4
API_KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def records(file: Path) -> Iterator[Any]:
    """The records of a file of wandb's: protobuf messages in the log format of LevelDB, after a header of 7 bytes."""
    messages: Any = import_module("wandb.proto.wandb_internal_pb2")

    content, place, message = file.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := BLOCK - place % BLOCK) < 7:  # no room for the header of a record
            place += left
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        message = (b"" if kind in (FULL, FIRST) else message) + content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (FULL, LAST):
            yield messages.Record.FromString(message)


def history(file: Path, name: str) -> list[tuple[int, float]]:
    found = []
    for record in records(file):
        if record.WhichOneof("record_type") == "history":
            items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            if name in items:
                found.append((int(json.loads(items["_step"])), json.loads(items[name])))
    return found


def test_runs_of_a_group_with_their_metrics_and_ends(tmp_path: Path) -> None:
    sweep = TrackedSweep(tmp_path / "of" / "sweep")
    run = sweep.begin(0, epochs=2)
    tracker = WandbTracker(WandbOptions(), sweep.directory, "ddrsa")
    tell(tracker, sweep.directory)  # cut off here: the run is told anew by the next
    sweep.complete(run)
    sweep.begin(1, epochs=1).end(State.KILLED, "killed by SIGKILL")
    tell(WandbTracker(WandbOptions(), sweep.directory, "ddrsa"), sweep.directory, ended=True)

    by_name: dict[str, list[Any]] = {}
    for file in sorted(sweep.directory.glob("wandb/offline-run-*/run-*.wandb")):
        every = list(records(file))
        (described,) = [each.run for each in every if each.WhichOneof("record_type") == "run"][:1]
        codes = [each.exit.exit_code for each in every if each.WhichOneof("record_type") == "exit"]
        by_name.setdefault(described.display_name, []).append((file, described, codes))
    assert by_name.keys() == {"of/sweep", "seed=0", "seed=1"}
    ((file, described, codes),) = by_name["seed=0"]
    assert described.run_group == "of/sweep"
    assert described.project == "ddrsa"
    assert codes == [0]
    assert history(file, "epoch/train_loss") == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    ((_, _, codes),) = by_name["seed=1"]
    assert codes == [255]
    written = [path for path in sweep.directory.rglob("*") if path.is_file()]
    assert not [path for path in written if API_KEY.encode() in path.read_bytes()]

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ddrsa.errors import DataError
from ddrsa.training.checkpoint import load_checkpoint, save_checkpoint


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"weights": {"a": torch.arange(3.0)}, "config": {"lookback": 4}})
    loaded = load_checkpoint(path)
    assert torch.equal(loaded["weights"]["a"], torch.arange(3.0))
    assert loaded["config"] == {"lookback": 4}


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code was executed')",))


def test_file_that_holds_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"schema_version": 1, "model": Payload()}, path)
    with pytest.raises(DataError, match=str(path)):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"schema_version": 1})[:10]])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=str(path)):
        load_checkpoint(path)


def test_other_version(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"schema_version": 999}, path)
    with pytest.raises(DataError, match="999"):
        load_checkpoint(path)


CONTENT: dict[str, Any] = {
    "model": {"a": torch.linspace(-1, 1, 500), "b": torch.zeros(0), "c": torch.tensor(True)},
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.01, "betas": (0.9, 0.999)}]},
    "config": {"lookback": 4, "name": "lstm", "none": None, "list": [1, 2.5, False]},
}


def test_each_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, CONTENT)
    whole = path.read_bytes()
    generator = random.Random(1)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            loaded = load_checkpoint(path)
        except DataError as error:
            refused += str(path) in str(error)
            continue
        assert torch.equal(loaded["model"]["a"], CONTENT["model"]["a"])
        assert repr({**loaded, "model": None}) == repr({"schema_version": 1, **CONTENT, "model": None})
    # What is left are bytes of the archive that stand for nothing.
    assert refused > 60


def test_a_flipped_bit_in_a_checkpoint_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"schema_version": 1, **CONTENT}, path)
    assert torch.equal(load_checkpoint(path)["model"]["a"], CONTENT["model"]["a"])
    damaged = path.read_bytes().replace(CONTENT["model"]["a"].numpy().tobytes()[:64], b"\1" * 64)
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"checkpoint.pt is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "checkpoint.pt")
    with pytest.raises(DataError, match="no regular file"):
        load_checkpoint(tmp_path / "checkpoint.pt")

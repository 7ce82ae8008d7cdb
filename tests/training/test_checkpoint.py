import pickle
from pathlib import Path

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

"""The checks of benchmarks/gpu.py where there is no GPU: each says so, and none fails."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.skipif(torch.cuda.is_available(), reason="here they would run")
def test_each_check_says_that_there_is_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    checks = json.loads((tmp_path / "gpu.json").read_text())["checks"]
    assert ended.value.code == 0
    assert len(checks) == 12
    assert {(each["state"], each["text"]) for each in checks.values()} == {("not run", "no GPU")}
    assert "0 ok, 0 FAILED, 12 not run" in capsys.readouterr().out


def test_an_unknown_check_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path), "--only", "everything"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    assert ended.value.code == 2

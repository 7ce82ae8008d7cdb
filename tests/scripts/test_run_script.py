"""What a run gives its script."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddrsa.scripts.command import Command
from ddrsa.scripts.job import Job
from ddrsa.scripts.run import THREAD_VARIABLES, _environ

COMMAND = Command(Job("a", Path("train_a.py")), ("python",), Path("out"), Path(), False, {})


@pytest.mark.parametrize(
    ("visible", "device", "gpus", "seen"),
    [
        (None, "auto", (1,), "1"),
        ("2,5", "auto", (1,), "5"),
        ("GPU-aa, GPU-bb", "cuda", (0,), "GPU-aa"),
        ("2,5,7", "cuda", (0, 2), "2,7"),
        ("", "auto", (1,), "1"),
        ("3", "cpu", (), ""),
        ("3", "cpu", (0,), ""),
        ("3", "auto", (), "3"),
        (None, "auto", (), None),
    ],
)
def test_the_gpus_that_it_sees(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, device: str, gpus: tuple[int, ...], seen: str | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    environ = _environ(device, gpus, 2, COMMAND)
    assert environ.get("CUDA_VISIBLE_DEVICES") == seen


def test_threads_that_the_user_has_set_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    environ = _environ("auto", (), 2, COMMAND)
    assert (environ["OMP_NUM_THREADS"], environ["MKL_NUM_THREADS"]) == ("2", "7")
    assert (environ["PYTHONUNBUFFERED"], environ["DDRSA_OUTPUT_DIR"]) == ("1", "out")

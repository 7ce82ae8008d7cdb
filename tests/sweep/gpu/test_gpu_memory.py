from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gpu_holders import SetGpus

from ddrsa.sweep.gpu.memory import GpuMemory, gpu_memory
from ddrsa.sweep.gpu.visible import visible_gpus


def test_gpu_memory(fake_driver: SetGpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_driver("GPU-a=123", "GPU-b=unknown")
    monkeypatch.setenv("FAKE_TOTAL", "1000")
    monkeypatch.setenv("FAKE_ALLOCATIONS", str(tmp_path))
    (tmp_path / f"GPU-a.{os.getpid()}").write_text("77")
    first, second = visible_gpus({})
    memory = gpu_memory(first)
    assert memory is not None
    assert memory == GpuMemory(1000, 200, {os.getpid(): 77})
    assert memory.free == 800
    assert gpu_memory(second) is None
    monkeypatch.setenv("FAKE_SILENCE", "1")
    assert gpu_memory(first) == GpuMemory(1000, 200, {})


def test_what_a_process_uses_includes_its_children() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        memory = GpuMemory(1000, 300, {os.getpid(): 100, child.pid: 20, 1: 180})
        assert memory.used_by(os.getpid()) == 120
        assert memory.used_by(child.pid) == 20
        assert GpuMemory(1000, 0).used_by(os.getpid()) is None
    finally:
        child.communicate()
    assert memory.used_by(child.pid) is None  # it has ended

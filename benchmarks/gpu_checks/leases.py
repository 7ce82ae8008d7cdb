"""Leases against the real driver: one GPU, who has it, and that it is free after a kill."""

from __future__ import annotations

import os
import select

from gpu_checks.bench import Bench

HOLD = """
import os, sys
from ddrsa.sweep.gpu.lease import lease_gpu
lease = lease_gpu([0], int(sys.argv[1]), run="check")
print(lease.index, flush=True)
import torch
x = torch.ones(2**int(sys.argv[2]) // 4, device=f"cuda:{lease.index}")
torch.cuda.synchronize()
print("holds", flush=True)
sys.stdin.read()
"""
MEBIBYTES_256 = 28


def names(bench: Bench) -> str:
    """The GPUs by NVML are torch's, in torch's order, also where CUDA_VISIBLE_DEVICES names one by its UUID."""
    bench.require_gpu()
    import torch

    from ddrsa.sweep.gpu.visible import visible_gpus

    gpus = visible_gpus()
    if len(gpus) != torch.cuda.device_count():
        raise RuntimeError(f"NVML shows {len(gpus)} GPUs, torch {torch.cuda.device_count()}")
    for gpu in gpus:
        theirs = str(torch.cuda.get_device_properties(gpu.index).uuid)
        if theirs not in gpu.identity:
            raise RuntimeError(f"GPU {gpu.index} is {gpu.identity} by NVML and {theirs} by torch")
    code = "import torch; print(torch.cuda.get_device_properties(0).uuid)"
    for entry in (gpus[-1].identity, str(len(gpus) - 1)):
        (ours,) = visible_gpus({**os.environ, "CUDA_VISIBLE_DEVICES": entry})
        shown = bench.run(["python3", "-c", code], CUDA_VISIBLE_DEVICES=entry).stdout.strip()
        if shown not in ours.identity:
            raise RuntimeError(f"CUDA_VISIBLE_DEVICES={entry} is {ours.identity} here and {shown} for torch")
    return f"{len(gpus)} GPUs, as torch numbers them"


def memory(bench: Bench) -> str:
    """What a process takes is told by the driver, by process or in all."""
    bench.require_gpu()
    from ddrsa.sweep.gpu.memory import gpu_memory
    from ddrsa.sweep.gpu.visible import visible_gpus

    gpu = visible_gpus()[0]
    before = gpu_memory(gpu)
    if before is None:
        raise RuntimeError("the driver tells nothing of the memory")
    holder = bench.python(HOLD, "1", str(MEBIBYTES_256))
    try:
        _lines(holder, 2)
        now = gpu_memory(gpu)
        assert now is not None
        used = now.used_by(holder.pid)
        taken = now.used - before.used
        if taken < 2**MEBIBYTES_256:
            raise RuntimeError(f"256 MiB were taken, and the driver tells of {taken / 2**20:.0f}")
        by_process = "not told" if used is None else f"{used / 2**20:.0f} MiB"
        return f"256 MiB and a context take {taken / 2**20:.0f} MiB; by process: {by_process}"
    finally:
        holder.kill()
        holder.wait()


def leases(bench: Bench) -> str:
    """A second process waits for the GPU while the first has it alone, gets it after kill -9, and may share it."""
    bench.require_gpu()
    first = bench.python(HOLD, "1", "20")
    second = third = fourth = None
    try:
        _lines(first, 2)
        second = bench.python(HOLD, "1", "20")
        if select.select([second.stdout], [], [], 12)[0]:
            raise RuntimeError("two processes have one GPU with runs_per_gpu=1")
        first.kill()
        _lines(second, 2)
        second.kill()
        third, fourth = bench.python(HOLD, "2", "20"), bench.python(HOLD, "2", "20")
        _lines(third, 2)
        _lines(fourth, 2)
        return "one at a time, free at once after kill -9, two with runs_per_gpu=2"
    finally:
        for process in (first, second, third, fourth):
            if process is not None:
                process.kill()
                process.wait()


def _lines(process, count: int) -> list[str]:  # type: ignore[no-untyped-def]
    found = []
    for _ in range(count):
        if not select.select([process.stdout], [], [], 90)[0]:
            raise RuntimeError("a process that should get the GPU has not got it in 90 s")
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process ended: {process.stderr.read()[-400:]}")
        found.append(line)
    return found

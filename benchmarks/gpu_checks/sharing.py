"""Two to sixteen runs on one GPU at once, with and without CUDA's MPS."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from gpu_checks.bench import Bench, NotRunError, all_completed, results

EPOCHS = 30


def shared(bench: Bench) -> str:
    """Epochs per second of all runs together, by the number of runs at once."""
    return _rates(bench, "shared", {})


def shared_by_mps(bench: Bench) -> str:
    """The same with the daemon of MPS, which is started for it and ended."""
    bench.require_gpu()
    with _mps(bench) as environ:
        return _rates(bench, "mps", environ)


def _rates(bench: Bench, name: str, environ: dict[str, str]) -> str:
    counts = (1, 2, 4, 8, 16) if bench.full else (1, 2, 4)
    parts, first = [], 0.0
    for count in counts:
        seeds = ",".join(map(str, range(count)))
        arguments = ["model=lstm", f"seed={seeds}", f"num_epochs={EPOCHS if bench.device == 'cuda' else 2}"]
        together = [f"runs_per_gpu={count}", f"hydra.launcher.n_jobs={count}"]
        directory = bench.train(f"{name}-{count}", *arguments, *together, **environ)
        all_completed(directory, count)
        metrics = [run["metrics"] for run in results(directory)]
        rate = sum(each["epochs_run"] / each["training_time_seconds"] for each in metrics)
        first = first or rate
        parts.append(f"{count}: {rate:.1f}/s ({rate / first:.2f})")
    return "epochs " + ", ".join(parts)


@contextlib.contextmanager
def _mps(bench: Bench) -> Iterator[dict[str, str]]:
    """A daemon of MPS with folders of its own, for the block. Raises NotRunError where there is none that works."""
    program = shutil.which("nvidia-cuda-mps-control")
    if program is None:
        raise NotRunError("there is no nvidia-cuda-mps-control")
    pipe, log = tempfile.mkdtemp(prefix="mps-pipe-"), tempfile.mkdtemp(prefix="mps-log-")
    environ = {"CUDA_MPS_PIPE_DIRECTORY": pipe, "CUDA_MPS_LOG_DIRECTORY": log}
    whole = {**os.environ, **environ}
    started = subprocess.run([program, "-d"], env=whole, capture_output=True, text=True, timeout=60)
    if started.returncode:
        raise NotRunError(f"MPS does not start: {(started.stderr or started.stdout).strip()[:120]}")
    try:
        tried = bench.run(["python3", "-c", "import torch; torch.ones(1, device='cuda')"], **environ)
        if tried.returncode:
            raise NotRunError(f"CUDA does not work with MPS here: {tried.stderr.strip().splitlines()[-1][:120]}")
        yield environ
    finally:
        subprocess.run([program], input="quit\n", env=whole, capture_output=True, text=True, timeout=60)

"""Real runs on a GPU: packed by memory, out of memory, killed and gone on with, and the same as on a CPU."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from gpu_checks.bench import ROOT, Bench, all_completed, losses, results, statuses

APP = """
import os, time
import hydra
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.sweep.gpu.lease import lease_gpu

@hydra.main(config_path=".", config_name="app", **VERSION_BASE)
def main(config):
    import torch
    lease = lease_gpu([0], config.runs_per_gpu, run=str(config.x))
    device = f"cuda:{lease.index}"
    total = torch.cuda.mem_get_info(device)[1]
    # What is not freed by another in 20 s is lacking: two such runs do not fit beside one another.
    parts = []
    for _ in range(12):
        parts.append(torch.empty(int(total * config.share / 12), dtype=torch.uint8, device=device))
        time.sleep(0.3)
    torch.cuda.synchronize()
    time.sleep(config.seconds)
    return config.x

if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: checked}, _self_]
x: 0
share: 0.6
seconds: 4
runs_per_gpu: 2
hydra: {sweep: {dir: oom, subdir: "x${x}"}, launcher: {n_jobs: 2}}
"""


def packing(bench: Bench) -> str:
    """runs_per_gpu=auto starts one, then as many as fit; all complete, and several are under way at one time."""
    bench.require_gpu()
    count = 8 if bench.full else 4
    start = time.monotonic()
    arguments = ["model=lstm", f"seed={','.join(map(str, range(count)))}", "num_epochs=120", "runs_per_gpu=auto"]
    directory = bench.train("packing", *arguments, f"hydra.launcher.n_jobs={count}")
    seconds = time.monotonic() - start
    all_completed(directory, count)
    together = _most_at_once(directory)
    if together < 2:
        raise RuntimeError(f"no two of {count} runs were under way at one time")
    return f"{count} runs, at most {together} at once, {seconds:.0f} s"


def _most_at_once(directory: Path) -> int:
    """By the clocks in status.json: from the start of each run to its end."""
    spans = [
        (float(each["started_clock"]), float(each["started_clock"]) + each["seconds"]) for each in statuses(directory)
    ]
    return max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)


def out_of_memory(bench: Bench) -> str:
    """Two runs share a GPU and want 60 % of its memory each: who runs out of it is tried again alone."""
    bench.require_gpu()
    (bench.out / "app.py").write_text(APP)
    (bench.out / "app.yaml").write_text(CONFIG)
    result = bench.run([sys.executable, "app.py", "-m", "x=1,2"])
    directory = bench.out / "oom"
    if result.returncode:
        raise RuntimeError(f"the sweep ended with {result.returncode}: {result.stderr[-800:]}")
    all_completed(directory, 2)
    attempts = sorted(run["attempt"] for run in results(directory))
    if attempts != [1, 2]:
        raise RuntimeError(f"the attempts are {attempts}: 1 and 2 are expected")
    return "one of two was out of memory, and completed at its second attempt, alone"


def resume(bench: Bench) -> str:
    """A run whose launcher and process are killed goes on from its checkpoint, to the numbers of one that was not."""
    overrides = ["model=gru", "seed=0", "num_epochs=12"]
    whole = bench.train("whole", *overrides)
    directory = bench.out / "killed"
    small = ["dataset.num_units=20", "lookback=32", "horizon=32", "patience=0", f"device={bench.device}"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *small, *overrides, f"hydra.sweep.dir={directory}"]
    process = bench_popen(bench, command)
    deadline = time.monotonic() + 180
    while not (logs := list(directory.rglob("training_log.csv"))) or len(logs[0].read_text().splitlines()) < 4:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError("the run ended, or wrote no epoch, before it could be killed")
        time.sleep(0.05)
    status = json.loads(next(directory.rglob("status.json")).read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    bench.run(["kill", "-9", str(status["pid"])])
    bench.train("killed", *overrides)
    all_completed(directory, 1)
    (attempt,) = (run["attempt"] for run in results(directory))
    difference = _difference(losses(whole)[0], losses(directory)[0])
    if attempt != 2 or difference > 1e-3:
        raise RuntimeError(f"attempt {attempt}, the losses differ by {difference:.1e}")
    return (
        f"attempt 2 after kill -9, {len(losses(directory)[0])} epochs, losses differ by {difference:.1e} (1e-3 allowed)"
    )


def bench_popen(bench: Bench, command: list[str]) -> subprocess.Popen[bytes]:
    """A sweep in the background, whose output nobody reads."""
    import os

    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    environ["DDRSA_CACHE_DIR"] = str(bench.out / "cache")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=bench.out, env=environ, **silent)  # type: ignore[call-overload, no-any-return]


def _difference(one: list[dict[str, str]], other: list[dict[str, str]]) -> float:
    """The largest relative difference of the validation losses, epoch by epoch."""
    if len(one) != len(other):
        return float("inf")
    pairs = [(float(a["validation_loss"]), float(b["validation_loss"])) for a, b in zip(one, other, strict=True)]
    return max(abs(a - b) / max(abs(a), 1e-9) for a, b in pairs)


def same_as_cpu(bench: Bench) -> str:
    """The validation losses of whole runs on the GPU are those of a CPU within 2 %, and their test NLL within 5 %."""
    models = "lstm,gru,tcn,transformer" if bench.full else "lstm,gru"
    overrides = [f"model={models}", "num_epochs=4", "dropout=0"]
    here = bench.train("here", *overrides)
    cpu = bench.train("cpu", *overrides, "device=cpu")
    worst = max(_difference(a, b) for a, b in zip(losses(here), losses(cpu), strict=True))
    pairs = zip(results(here), results(cpu), strict=True)
    nll = max(abs(a["metrics"]["nll"] - b["metrics"]["nll"]) / abs(b["metrics"]["nll"]) for a, b in pairs)
    if worst > 0.02 or nll > 0.05:
        raise RuntimeError(f"losses differ by {worst:.1%} (2 % allowed), NLL by {nll:.1%} (5 % allowed)")
    return f"{models}: losses differ by {worst:.2%}, NLL by {nll:.2%}"

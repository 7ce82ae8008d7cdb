"""A Hydra task that goes wrong in the way that its config says. What `ddrsa.sweep.verify.task` can do, and more."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.rundir.directory import RunDirectory
from ddrsa.sweep import asked_to_end
from ddrsa.sweep.gpu.lease import Gpu, lease_gpu, release_current
from ddrsa.sweep.gpu.memory import GpuMemory, gpu_memory
from ddrsa.sweep.resume import resumable
from ddrsa.sweep.verify.task import first_time, misbehave, say, steps, wait_for


class OutOfMemoryError(RuntimeError):
    """As torch's."""


class TrialPruned(Exception):  # noqa: N818
    """As Optuna's."""


class NotPicklable(Exception):  # noqa: N818
    def __init__(self, a: str, b: str) -> None:
        super().__init__(a + b)
        self.lock = open(os.devnull)  # noqa: SIM115, PTH123


def on_a_gpu(what: str, seconds: float) -> int:
    """Take 10 GiB of a GPU of the fake driver, or 75 in the end: the first time when another process has some too."""
    lease = lease_gpu(json.loads(os.environ["GPUS"]), json.loads(os.environ["RUNS_PER_GPU"]), settle_seconds=0.3)
    assert lease is not None
    if what == "kill on gpu 0" and lease.index == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    allocate(lease.gpu, 10)
    if what == "much gpu":
        first = first_time(Path(HydraConfig.get().runtime.output_dir))
        while first and lease.shared and memory_of(lease.gpu).used == 10 * 2**30:
            time.sleep(0.02)
        allocate(lease.gpu, 75)
    else:
        time.sleep(seconds)
    # As a process frees its memory when it ends: whoever waits for the GPU finds it free.
    (Path(os.environ["FAKE_ALLOCATIONS"]) / f"{lease.gpu.identity}.{os.getpid()}").unlink()
    release_current()
    return lease.index


def memory_of(gpu: Gpu) -> GpuMemory:
    memory = gpu_memory(gpu)
    assert memory is not None
    return memory


def allocate(gpu: Gpu, gib: int) -> None:
    own = Path(os.environ["FAKE_ALLOCATIONS"]) / f"{gpu.identity}.{os.getpid()}"
    own.write_text(str(gib * 2**30))
    if memory_of(gpu).free < 0:
        own.unlink()
        raise OutOfMemoryError(f"CUDA out of memory. Tried to allocate {gib} GiB")


def training_that_can_be_asked(x: int, directory: Path, count: int, seconds: float) -> int:
    run = RunDirectory(directory)
    run.update(num_epochs=count)
    asked_to_end()
    done = 0
    for done in steps(x, directory, count, seconds):
        run.update(epoch=done)
        if done < count and (reason := asked_to_end()):
            (directory / "asked").write_text(f"{done} {reason}")
            break
    return done


@hydra.main(config_path=None, config_name="supervised_app", **VERSION_BASE)
def main(config: DictConfig) -> object:
    directory = Path(HydraConfig.get().runtime.output_dir)
    environ = {key: value for key, value in os.environ.items() if key.startswith(("DDRSA_", "CUDA_", "SLURM_"))}
    say("begins", config.x, directory=directory.name, environ=environ)
    print("printed by", config.x)
    # Not a part of the config: a run that goes wrong once and then does not is the same run.
    what = json.loads(Path("do.json").read_text()).get(str(config.x))
    misbehave(what, directory)
    match what:
        case "exit":
            sys.exit(3)
        case "exit 0":
            sys.exit(0)
        case "os exit":
            os._exit(0)
        case "gpu memory":
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        case "host memory":
            raise MemoryError
        case "prune":
            raise TrialPruned("worse than the median")
        case "not picklable":
            raise NotPicklable("a", "b")
        case "return much":
            import numpy

            return {"loss": numpy.array(config.x + 0.5), "lock": threading.Lock(), "scores": (1, float("nan"))}
        case "return an array":
            import numpy

            return numpy.float32(config.x)
        case "sleep":
            time.sleep(3600)
        case "raise when told":
            wait_for("told", seconds=3600)
            raise ValueError("the first reason")
        case "wait":
            wait_for("go", seconds=3600)
        case "host memory taken":
            taken = [bytearray(64 * 2**20) for _ in range(1000)]
            return len(taken)
        case "gpu" | "much gpu" | "kill on gpu 0":
            return on_a_gpu(what, config.seconds)
        case "asked":
            return training_that_can_be_asked(config.x, directory, config.count, config.seconds)
        case "epochs":
            return len(list(steps(config.x, directory, config.count, config.seconds)))
    return config.x * 10


if __name__ == "__main__":
    run_cli(resumable(main))

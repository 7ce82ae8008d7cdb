"""The task that `python -m ddrsa.sweep verify` sweeps: it does what do.json in its working directory says of its x."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.sweep.gpu.lease import lease_gpu, release_current

# For a run that waits for another, or for a signal, that does not come.
SECONDS_TO_WAIT = 30.0


def say(event: str, x: object, **details: Any) -> None:
    """Append a line to events.txt, in one write, which no other process can cut in two."""
    line = json.dumps({"event": event, "x": x, "pid": os.getpid(), "at": time.time(), **details})
    descriptor = os.open("events.txt", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def wait_for(*names: str, seconds: float = SECONDS_TO_WAIT) -> None:
    """Block until files of these names exist. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not all(Path(name).exists() for name in names):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{', '.join(names)} did not all come")
        time.sleep(0.01)


def first_time(directory: Path) -> bool:
    """Whether this is the first attempt at a run."""
    try:
        (directory / "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def meet(x: int, others: int) -> None:
    """Wait until `others` runs are under way at the same time."""
    Path(f"here{x}").touch()
    wait_for(*(f"here{number}" for number in range(others)))


def steps(x: object, directory: Path, count: int, seconds: float = 0.05) -> Iterator[int]:
    """A training with a checkpoint after each step, from which it goes on. Yields the steps as they are done."""
    checkpoint = directory / "checkpoint"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    while done < count:
        time.sleep(seconds)
        done += 1
        # First reported, then saved: a kill between the two has the step reported again, which `Launches.steps` knows.
        say("step", x, directory=directory.name, step=done)
        temporary = directory / "checkpoint.tmp"
        temporary.write_text(str(done))
        temporary.replace(checkpoint)
        yield done


def hang() -> None:
    """Ignore SIGTERM, and so does a child in a session of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
    time.sleep(600)


def on_a_gpu(x: int, gpus: Any, killed: bool) -> None:
    """Hold a GPU for a moment, or until SIGKILL."""
    lease = lease_gpu(gpus, 1)
    assert lease is not None
    say("leased", x, gpu=lease.index)
    time.sleep(0.4)
    say("releases", x, gpu=lease.index)
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)
    release_current()


def misbehave(what: str | None, directory: Path) -> None:
    """Go wrong in this way, or not at all."""
    match what:
        case "raise":
            raise ValueError("raised on purpose\nin two lines")
        case "raise once" if first_time(directory):
            raise ValueError("raised on purpose")
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill once" if first_time(directory):
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            hang()


@hydra.main(config_path=None, **VERSION_BASE)
def main(config: DictConfig) -> int:
    """One run."""
    x, directory = int(config.x), Path(HydraConfig.get().runtime.output_dir)
    say("begins", x)
    plan = json.loads(Path("do.json").read_text())
    what = plan["do"].get(str(x))
    misbehave(what, directory)
    match what:
        case "meet":
            meet(x, len(plan["do"]))
        case "pause":
            time.sleep(0.2)
        case "wait":
            wait_for("go")
        case "steps":
            for _ in steps(x, directory, plan["steps"]):
                pass
        case "gpu" | "gpu killed":
            on_a_gpu(x, plan["gpus"], what == "gpu killed" and first_time(directory))
    say("ends", x)
    return x


if __name__ == "__main__":
    run_cli(main)

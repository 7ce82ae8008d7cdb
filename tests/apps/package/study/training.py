"""The training of the package."""

from __future__ import annotations

import json
import time
from pathlib import Path


def train(directory: Path, steps: int, pause: float) -> int:
    """Do the steps that are left; returns their number."""
    state = directory / "state.json"
    done = json.loads(state.read_text()) if state.exists() else 0
    for step in range(done + 1, steps + 1):
        time.sleep(pause)
        with (directory / "steps.txt").open("a") as stream:
            print(step, file=stream)
        state.write_text(json.dumps(step))
    return steps

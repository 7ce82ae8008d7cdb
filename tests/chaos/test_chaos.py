"""A few of the trials of `make chaos`; the others take hours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHAOS = Path(__file__).with_name("chaos.py")
# A killed guardian and a deleted run; a killed server, a killed worker, two launchers and a damaged file.
SEEDS = ("7", "0")


def test_sweeps_survive_faults(tmp_path: Path) -> None:
    command = [sys.executable, str(CHAOS), "--seeds", *SEEDS, "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 trials, 0 with a finding" in done.stdout

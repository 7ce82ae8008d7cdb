"""The time that this package adds to the start of a Hydra app that does not use it: python benchmarks/plugin_import.py

The same app of one line, as it is and with this package hidden from Hydra's search for plugins, in alternation. The
seconds are those of the processor: an app waits for nothing at its start, and other programs disturb them less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ROUNDS = 15
HIDE = """
import hydra_plugins
from pathlib import Path
hydra_plugins.__path__ = [path for path in hydra_plugins.__path__ if not Path(path, "ddrsa_sweep").is_dir()]
"""
APP = """
import hydra

@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass

main()
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        seconds: dict[str, list[float]] = {"without": [], "with": []}
        for name, text in (("without", HIDE + APP), ("with", APP)):
            Path(folder, f"{name}.py").write_text(text)
        for _ in range(ROUNDS + 1):
            for name, taken in seconds.items():
                before = seconds_of_children()
                command = [sys.executable, f"{name}.py", "hydra.run.dir=out"]
                subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
                taken.append(seconds_of_children() - before)
    kept = {name: taken[1:] for name, taken in seconds.items()}  # the first fills the caches
    for kind, of in (("fastest", min), ("median", median)):
        without, with_it = of(kept["without"]), of(kept["with"])
        print(f"start of an app, {kind} of {ROUNDS}: {without:.3f} s without, {with_it:.3f} s with the plugins")
        print(f"ratio {with_it / without:.3f}, added {with_it - without:+.3f} s (wanted: below 0.05 s)")


def seconds_of_children() -> float:
    """Of the processor, used by all children that have ended."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

"""Peak memory of a run on FD001 at lookback 256, beside a process that has imported the same modules.

Windows of 256 rows are gathered batch by batch; had they been materialised, FD001's alone would take about 360 MB. The
cache is filled before, as it is for all but the first run of a sweep, and empty for the row that says so.

    DDRSA_DATA_DIR=... python benchmarks/peak_memory.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Ends with the names of the modules that a run has imported.
RUN_AND_LIST = """
import runpy, sys
names, train, *sys.argv = sys.argv[1:]
try:
    sys.argv.insert(0, train)
    runpy.run_path(train, run_name="__main__")
finally:
    open(names, "w").write("\\n".join(sys.modules))
"""
IMPORT_LISTED = """
import importlib, sys
for name in open(sys.argv[1]).read().split():
    if name != "__main__":
        try:
            importlib.import_module(name)
        except ImportError:  # a module that another one made, without a file of its own
            print(name, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["lstm", "gru", "transformer"])
    parser.add_argument("--overrides", nargs="*", default=[], help="more overrides of train.py")
    arguments = parser.parse_args()
    if "DDRSA_DATA_DIR" not in os.environ:
        parser.error("DDRSA_DATA_DIR is not set: it names the folder with NASA's turbofan/train_FD001.txt")
    with tempfile.TemporaryDirectory() as scratch:
        for model in arguments.models:
            names = f"{scratch}/modules"
            for cache in ("empty cache", "filled cache"):
                overrides = [
                    "hparams=paper",
                    "dataset=turbofan",
                    f"model={model}",
                    "num_epochs=1",
                    f"hydra.sweep.dir={scratch}/{cache.replace(' ', '_')}",
                    f"cache_dir={scratch}/cache_{model}",
                    *arguments.overrides,
                ]
                peak = peak_megabytes([sys.executable, "-c", RUN_AND_LIST, names, str(ROOT / "train.py"), *overrides])
                imports = peak_megabytes([sys.executable, "-c", IMPORT_LISTED, names])
                row = f"{model + ', ' + cache:26} {peak:6.0f} MB, the imports alone {imports:6.0f} MB"
                print(f"{row}, the run itself {peak - imports:6.0f} MB", flush=True)


def peak_megabytes(command: list[str]) -> float:
    """The largest resident set of `command`, as the kernel counted it."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return usage.ru_maxrss / 1024  # kilobytes on Linux


if __name__ == "__main__":
    main()

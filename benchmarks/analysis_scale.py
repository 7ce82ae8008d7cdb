"""Seconds and memory that the analysis of 10,000 runs takes: the tables alone, and all of `analyze.py`.

    python benchmarks/analysis_scale.py [--runs 10000] [--keep DIR]

The run directories are generated: a grid of 3 models, 4 batch sizes, 5 learning rates, 4 rates of dropout and as many
seeds as it takes, and a search over continuous ranges. Each part runs in a process of its own; the peak is that of the
whole process, imports included. At most 10 s and 500 MB for the tables and 60 s for all of it are wanted.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "analysis"))

from generated_sweep import MODELS, grid, search, write_sweep  # noqa: E402

TABLES = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from ddrsa.analysis.analysis import analyze, write_analysis
from ddrsa.analysis.criterion import Choice
path = Path(sys.argv[1])
write_analysis(analyze({"": path}, path, Choice()))
"""
EVERYTHING = """
import sys, time
start = time.perf_counter()
from ddrsa.analysis.command import Options, analyze
analyze(Options(sweep_dir=sys.argv[1]))
"""
MEASURE = """
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
seconds, processor = time.perf_counter() - start, time.process_time()
print(f"{seconds:.1f} s ({processor:.1f} s of processor time), peak {peak:.0f} MB", file=sys.stderr)
"""


def main() -> None:
    """Generate, measure, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="generate the sweeps here and leave them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.keep or Path(temporary)
        for name, runs in (("grid", _grid(arguments.runs)), ("search", search(arguments.runs))):
            start = time.perf_counter()
            states = ("completed",) * 9 + ("pruned",)
            count = write_sweep(root / name, runs, states)
            print(f"{name}: {count} run directories generated in {time.perf_counter() - start:.1f} s")
            for what, code in (("tables", TABLES), ("everything", EVERYTHING)):
                print(f"  {what}: {_measure(code, root / name)}")


def _grid(count: int):  # type: ignore[no-untyped-def]
    values = {
        "model": list(MODELS),
        "batch_size": [32, 64, 128, 256],
        "learning_rate": [0.0003, 0.001, 0.003, 0.01, 0.03],
        "dropout": [0.0, 0.1, 0.2, 0.4],
        "seed": range(-(-count // 240)),
    }
    return itertools.islice(grid(values), count)


def _measure(code: str, path: Path) -> str:
    command = [sys.executable, "-c", code + MEASURE, str(path)]
    result = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    return result.stderr.strip().splitlines()[-1]


if __name__ == "__main__":
    main()

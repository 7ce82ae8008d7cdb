"""Checks of all that docs/gpus.md claims, on a machine with a GPU, in one command.

    make test-gpu                                # the same as the next line
    python3 benchmarks/gpu.py [--only leases oom] [--out DIR] [--full]
    python3 benchmarks/gpu.py --device cpu       # tries the checks that can be tried on a CPU

Python 3.11 or newer and PyTorch with CUDA are all that the machine needs: what else is missing is taken from the wheels
in `.wheels-gpu/`, which `python benchmarks/gpu_wheels.py` collects where there is a package index. Each check prints a
line: `ok` with what was measured, `FAILED` with the reason, or `not run` with the reason. All of them are in
DIR/gpu.json too. The short form takes about 6 minutes on one GPU; --full has more models and more runs at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / ".wheels-gpu"
SITE_VARIABLE = "DDRSA_GPU_SITE"


def main() -> None:
    """Run the checks; the exit code is 1 where one has failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="CHECK", help="the names of the checks to run")
    parser.add_argument("--out", type=Path, help="where gpu.json and what the checks leave go; a new folder by default")
    parser.add_argument("--full", action="store_true", help="all models, and up to 16 runs at once")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try the checks themselves")
    arguments = parser.parse_args()
    _take_wheels()
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    from gpu_checks.bench import Bench, NotRunError, no_gpu
    from gpu_checks.checks import CHECKS

    unknown = set(arguments.only or ()) - set(CHECKS)
    if unknown:
        parser.error(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    out = arguments.out or Path(tempfile.mkdtemp(prefix="ddrsa-gpu-"))
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench(out, arguments.device, arguments.full)
    print(bench.describe(), flush=True)
    found: dict[str, dict[str, object]] = {}
    for name in arguments.only or CHECKS:
        start = time.monotonic()
        reason = no_gpu() if arguments.device == "cuda" else None
        state, text = ("not run", reason) if reason is not None else _done(CHECKS[name], bench, NotRunError)
        seconds = round(time.monotonic() - start, 1)
        found[name] = {"state": state, "text": text, "seconds": seconds}
        print(f"{name}: {state}: {text} ({seconds} s)", flush=True)
        (out / "gpu.json").write_text(json.dumps({"machine": bench.describe(), "checks": found}, indent=2))
    counts = {state: sum(each["state"] == state for each in found.values()) for state in ("ok", "FAILED", "not run")}
    print(", ".join(f"{count} {state}" for state, count in counts.items()), f"; {out / 'gpu.json'}")
    sys.exit(1 if counts["FAILED"] else 0)


def _done(check: Callable[[Any], str], bench: Any, not_run: type[Exception]) -> tuple[str, str]:
    """The state of a check, and what it says."""
    try:
        return "ok", check(bench)
    except not_run as error:
        return "not run", str(error)
    except Exception as error:
        return "FAILED", f"{type(error).__name__}: {error}"


def _take_wheels() -> None:
    """Start this program anew with the packages of the wheels, where they are needed and not installed."""
    needed = ("hydra", "omegaconf", "optuna", "tblib", "platformdirs", "psutil", "pynvml", "filelock")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing or SITE_VARIABLE in os.environ:
        return
    wheels = sorted(WHEELS.glob("*.whl"))
    if not wheels:
        raise SystemExit(f"{', '.join(missing)} missing, and no wheels in {WHEELS}: see benchmarks/gpu_wheels.py")
    site = tempfile.mkdtemp(prefix="ddrsa-gpu-site-")
    install = ["install", "-q", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--target", site]
    subprocess.run([sys.executable, "-m", "pip", *install, *map(str, wheels)], check=True)
    path = os.pathsep.join([site, str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = {**os.environ, SITE_VARIABLE: site, "PYTHONPATH": path}
    os.execve(sys.executable, [sys.executable, *sys.argv], environ)


if __name__ == "__main__":
    main()

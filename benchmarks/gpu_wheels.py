"""Collects the wheels that benchmarks/gpu.py needs on a machine without a package index, in .wheels-gpu/.

    python benchmarks/gpu_wheels.py [NAME ...]

For Python 3.12 on Linux (x86-64), in the versions of constraints.txt. Without names: what is not part of an image with
PyTorch, NumPy, SciPy, pandas and Numba; together at most 64 MiB.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / ".wheels-gpu"
MOST_BYTES = 64 * 2**20
NAMES = (
    *("hydra-core", "hydra-joblib-launcher", "omegaconf", "antlr4-python3-runtime", "tblib", "platformdirs"),
    *("filelock", "optuna", "alembic", "mako", "colorlog", "sqlalchemy", "cloudpickle", "pooch"),
    *("nvidia-ml-py", "psutil", "rich", "markdown-it-py", "mdurl", "pygments"),
)
# There is no wheel of it: it is plain Python, and built here.
SOURCES = ("antlr4-python3-runtime",)


def main() -> None:
    """Download, and say how large they are."""
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    pins = {_normal(name): version for name, version in pins.items()}
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir()
    platforms = [f"manylinux_2_{number}_x86_64" for number in (28, 27, 17)] + ["manylinux2014_x86_64"]
    target = ["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"]
    target += [each for platform in platforms for each in ("--platform", platform)]
    for name in sys.argv[1:] or NAMES:
        version = pins.get(_normal(name))
        wanted = name if version is None else f"{name}=={version}"
        command = ["wheel", "-w", str(WHEELS)] if name in SOURCES else ["download", *target, "-d", str(WHEELS)]
        subprocess.run([sys.executable, "-m", "pip", "-q", *command, "--no-deps", wanted], check=True)
    size = sum(wheel.stat().st_size for wheel in WHEELS.glob("*.whl"))
    print(f"{len(list(WHEELS.glob('*.whl')))} wheels, {size / 2**20:.1f} MiB in {WHEELS}")
    if size > MOST_BYTES:
        raise SystemExit("more than 64 MiB")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()

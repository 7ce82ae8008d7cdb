"""The wheel in environments of its own, where the checkout is out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and the empty folder in which its commands run."""

    venv: Path
    folder: Path

    def run(self, *command: str, timeout: float = 250) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment."""
        return subprocess.run(
            [str(self.venv / "bin" / command[0]), *command[1:]],
            cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip

    def output(self, *command: str) -> str:
        """The stdout of `run`, which must succeed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DDRSA_", "HYDRA_"))}
        scratch = {name: str(self.venv.parent / name) for name in ("DDRSA_CACHE_DIR", "DDRSA_LEASE_DIR")}
        return {**own, **scratch, "COLUMNS": "120", "CUDA_VISIBLE_DEVICES": ""}


def build(source: Path, out: Path, *options: str) -> Path:
    """The wheel that `python -m build` makes of `source`."""
    subprocess.run(
        [sys.executable, "-m", "build", *options, "--outdir", str(out), str(source)],
        check=True, stdout=subprocess.DEVNULL, timeout=250,
    )  # fmt: skip
    (wheel,) = out.glob("*.whl")
    return wheel


def content(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}

"""Real run directories with known results."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysis_runs import MakeRun, run_maker


@pytest.fixture
def sweep_dir(tmp_path: Path) -> Path:
    path = tmp_path / "sweep"
    path.mkdir()
    return path


@pytest.fixture
def make_run(sweep_dir: Path) -> MakeRun:
    """Writes one run directory of the sweep."""
    return run_maker(sweep_dir)

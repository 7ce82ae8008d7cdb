from collections.abc import Iterator
from pathlib import Path

import pytest
from script_sweeps import ScriptSweeps


@pytest.fixture
def sweeps(tmp_path: Path) -> Iterator[ScriptSweeps]:
    """Sweeps of scripts; whatever still runs at the end is killed."""
    with ScriptSweeps(tmp_path) as sweeps:
        yield sweeps

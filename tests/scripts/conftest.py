import contextlib

import psutil
import pytest
from script_sweeps import ScriptSweeps


@pytest.fixture
def sweeps(tmp_path):
    """Sweeps of scripts; whatever still runs at the end is killed."""
    made = ScriptSweeps(tmp_path)
    yield made
    for process in [*made.processes(), *made.started]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for process in made.started:
        process.wait()

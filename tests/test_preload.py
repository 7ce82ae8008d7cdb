"""What is imported once for all runs of a sweep."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ddrsa.models.kernels import choice

PROGRAM = """
import sys
from ddrsa.models.kernels import choice
choice.compiled_before = lambda: {before}
import ddrsa.preload
print("ddrsa.run" in sys.modules, "ddrsa.models.kernels.network" in sys.modules)
"""


@pytest.mark.parametrize("before", [True, False])
def test_kernels_are_loaded_once_where_no_run_has_to_compile_them(before: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", str(before)]


def test_kernels_that_were_loaded_lie_compiled_beside_their_source() -> None:
    import ddrsa.models.kernels.network  # noqa: F401  (compiles them, where they are not)

    assert choice.compiled_before()

"""What the runs of a sweep need, imported once for all of them: torch, the run, and the compiled kernels.

The kernels only where they were compiled before: a sweep of models without recurrent layers shall not wait for that.
"""

from __future__ import annotations

import ddrsa.run
from ddrsa.models.kernels.choice import compiled_before

if compiled_before():
    import ddrsa.models.kernels.function  # noqa: F401

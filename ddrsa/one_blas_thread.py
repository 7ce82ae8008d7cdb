"""One thread for the linear algebra of numpy and scipy."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """Within the block OpenBLAS, which multiplies for numpy and scipy, does it in the thread that asks.

    It would take all cores, also those of other runs, and its threads keep a core busy while they wait. The matrices
    here are too small to gain by it: with two threads a fit of two parameters took 15 times the processor time. Only
    what is imported already is limited; torch's own threads are not.
    """
    limited: AbstractContextManager[object] = ThreadpoolController().select(internal_api="openblas").limit(limits=1)
    return limited

from __future__ import annotations

import scipy.linalg  # noqa: F401
from threadpoolctl import threadpool_info

from ddrsa.one_blas_thread import one_blas_thread


def threads() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for library in threadpool_info():
        found.setdefault(library["internal_api"], []).append(library["num_threads"])
    return found


def test_linear_algebra_keeps_to_the_thread_that_asks_and_others_keep_theirs() -> None:
    before = threads()
    with one_blas_thread():
        within = threads()
    assert set(within.pop("openblas")) == {1}
    assert within == {name: numbers for name, numbers in before.items() if name != "openblas"}
    assert threads() == before

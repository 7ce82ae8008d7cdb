"""Settings of the allocator: memory that is freed between two steps stays with the process."""

from __future__ import annotations

import ctypes
import logging
import platform

log = logging.getLogger(__name__)

# From glibc's malloc.h; the largest threshold that mallopt takes on 64-bit machines.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed instead of giving it back to the system after every step.

    A training step on a CPU frees and allocates the same few MB each time; the page faults of getting them anew take
    up to a third of an LSTM's step (benchmarks/training_throughput.py). Does nothing with another C library.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for option, value in ((M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD), (M_TRIM_THRESHOLD, 2**31 - 1)):
        if not libc.mallopt(option, value):
            log.warning("mallopt(%d, %d) was refused; training may be slower", option, value)

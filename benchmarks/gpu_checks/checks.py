"""The checks by their names, in the order in which they are done: the quick ones first."""

from __future__ import annotations

from collections.abc import Callable

from gpu_checks import leases, numbers, runs, sharing
from gpu_checks.bench import Bench

CHECKS: dict[str, Callable[[Bench], str]] = {
    "names": leases.names,
    "memory": leases.memory,
    "leases": leases.leases,
    "equality": numbers.equality,
    "oom": runs.out_of_memory,
    "resume": runs.resume,
    "same-as-cpu": runs.same_as_cpu,
    "packing": runs.packing,
    "cudnn-and-graphs": numbers.cudnn_and_graphs,
    "throughput": numbers.throughput,
    "shared": sharing.shared,
    "shared-by-mps": sharing.shared_by_mps,
}

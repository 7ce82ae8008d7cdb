"""A process that leases a GPU, says so on stdout, holds it, and says how long it held it.

Its argument is JSON: {"lease": the arguments of lease_gpu, "hold": seconds, or null for until stdin ends, "fork":
whether to leave behind a child that was forked while the GPU was held}. Each look for a GPU that finds none adds a line
with its time to the file looks.<process id> in the directory FAKE_ALLOCATIONS.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ddrsa.sweep.gpu.lease import GpuLease, current_lease, lease_gpu, release_current
from ddrsa.sweep.gpu.request import Request


def say(**content: object) -> None:
    os.write(1, (json.dumps(content) + "\n").encode())  # in one piece, since a forked child speaks too


def take_and_note(request: Request) -> GpuLease | None:
    begin = time.monotonic()
    lease = take(request)
    if lease is None:
        with Path(os.environ["FAKE_ALLOCATIONS"], f"looks.{os.getpid()}").open("a") as file:
            file.write(f"{begin}\n")
    return lease


take = Request.take
Request.take = take_and_note  # type: ignore[assignment,method-assign]
options = json.loads(sys.argv[1])
lease = lease_gpu(**options["lease"], poll_seconds=0.05)
begin = time.monotonic()
if options.get("fork"):
    child = os.fork()
    if child == 0:
        say(child=os.getpid(), holds=current_lease() is not None)
        time.sleep(60)
        os._exit(0)
assert lease is not None
assert current_lease() is lease
say(gpu=lease.index, gpus=lease.indices, identity=lease.gpu.identity)
if options["hold"] is None:
    sys.stdin.read()
else:
    time.sleep(options["hold"])
end = time.monotonic()
release_current()
assert current_lease() is None
say(gpu=lease.index, gpus=lease.indices, begin=begin, end=end)

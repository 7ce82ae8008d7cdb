"""Programs run in processes of their own, forked from one that has imported what they import.

A test of a command line that starts Python anew for each of its cases spends most of its time with imports. What a test
says of imports, of the variables that are read by them, and of signals, needs `subprocess`.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
ANALYSIS = ("ddrsa.commands.analyze", "ddrsa.analysis.analysis", "ddrsa.analysis.plots", "ddrsa.analysis.report")
TRAINING = ("ddrsa.commands.train", "ddrsa.run", "ddrsa.scripts.run")

# The child leaves the loop, and ends as any program does.
SERVER = """
import importlib, json, os, runpy, signal, socket, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
with socket.socket(fileno=int(sys.argv[1])) as requests, requests.makefile("rw") as lines:
    for line in lines:
        child = os.fork()
        if child == 0:
            break
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, file=lines, flush=True)
    else:
        sys.exit()
request = json.loads(line)
os.setsid()
for stream, name in enumerate((os.devnull, request["stdout"], request["stderr"])):
    file = os.open(name, os.O_RDWR if stream else os.O_RDONLY)
    os.dup2(file, stream)
    os.close(file)
os.chdir(request["cwd"])
os.environ.clear()
os.environ.update(request["env"])
sys.argv = request["argv"]
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@cache
def _server(imports: tuple[str, ...]) -> socket.socket:
    """The end of a conversation with a process that has these modules; it ends with this one."""
    ours, theirs = socket.socketpair()
    subprocess.Popen(
        [sys.executable, "-c", SERVER, str(theirs.fileno()), *imports],
        # The last is what a program sets before it imports torch (ddrsa.sweep.process.cores).
        env={**os.environ, "PYTHONPATH": str(ROOT), "GOMP_SPINCOUNT": "1000"},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(ours.close)
    return ours


def run_program(
    script: Path, *arguments: str, imports: tuple[str, ...], cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with the output captured as text: `python script arguments`, with `imports` done already."""
    server = _server(imports)
    with TemporaryDirectory() as folder:
        streams = {name: Path(folder, name) for name in ("stdout", "stderr")}
        for file in streams.values():
            file.touch()
        argv = [str(script), *arguments]
        request = {"argv": argv, "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
        request |= {name: str(file) for name, file in streams.items()}
        server.sendall(json.dumps(request).encode() + b"\n")
        answer = server.makefile().readline()
        assert answer, "the process that forks the programs has ended"
        return subprocess.CompletedProcess(argv, int(answer), *(file.read_text() for file in streams.values()))

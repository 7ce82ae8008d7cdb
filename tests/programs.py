"""Programs run in processes of their own, forked from one that has imported what they import.

A test of a command line that starts Python anew for each of its cases spends most of its time with imports. What a test
says of imports, and of the variables that are read by them, needs `subprocess`.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ddrsa.sweep.verify.bench import Launches

ROOT = Path(__file__).parents[1]
LAUNCHING = ("ddrsa.sweep.launcher", "ddrsa.sweep.sweeper", "hydra._internal.hydra", "hydra.main")
SEARCHING = (*LAUNCHING, "ddrsa.sweep.search.search", "ddrsa.sweep.search.sweeper", "optuna")
ANALYSIS = ("ddrsa.commands.analyze", "ddrsa.analysis.analysis", "ddrsa.analysis.plots", "ddrsa.analysis.report")
LAUNCHING_SCRIPTS = (*LAUNCHING, "ddrsa.commands.train", "ddrsa.scripts.run", "ddrsa.scripts.summary")
TRAINING = ("ddrsa.commands.train", "ddrsa.run", "ddrsa.scripts.run")

# A program becomes the child of the test's own process: the process between the two has ended before it begins.
SERVER = """
import importlib, json, os, runpy, socket, sys, time
for name in sys.argv[2:]:
    importlib.import_module(name)
requests = socket.socket(fileno=int(sys.argv[1]))
while True:
    request, files, _, _ = socket.recv_fds(requests, 2**20, 3)
    if not request:
        sys.exit()
    inside, outside = os.pipe()
    between = os.fork()
    if between:
        for file in (*files, outside):
            os.close(file)
        os.waitpid(between, 0)
        requests.sendall(os.read(inside, 64))
        os.close(inside)
        continue
    between = os.getpid()
    program = os.fork()
    if program:
        os.write(outside, str(program).encode())
        os._exit(0)
    break
os.close(inside)
os.close(outside)
requests.close()
while os.getppid() == between:
    time.sleep(0.001)
request = json.loads(request)
os.setsid()
for stream, file in enumerate(files):
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
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.Popen(
        [sys.executable, "-c", SERVER, str(theirs.fileno()), *imports],
        # The last is what a program sets before it imports torch (ddrsa.sweep.process.cores).
        env={**os.environ, "PYTHONPATH": str(ROOT), "GOMP_SPINCOUNT": "1000"},
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    atexit.register(ours.close)
    return ours


class Program(subprocess.Popen[str]):
    """`python script arguments` as a child of this process, with the imports done already; see subprocess.Popen."""

    def __init__(self, script: Path, *arguments: str, imports: tuple[str, ...], **options: Any) -> None:
        """imports: names of modules. options: of subprocess.Popen; the streams, `cwd` and `env` are heeded."""
        self._imports = imports
        super().__init__([str(script), *arguments], text=True, start_new_session=True, **options)

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(super()._execute_child).bind(*given).arguments  # type: ignore[misc]
        streams = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        files = [number if file == -1 else file for number, file in enumerate(streams)]
        request = {"argv": asked["args"], "cwd": str(asked["cwd"] or "."), "env": dict(asked["env"] or os.environ)}
        server = _server(self._imports)
        with _adopting():
            socket.send_fds(server, [json.dumps(request).encode()], files)
            answer = server.recv(64)
        assert answer, "the process that forks the programs has ended"
        self.pid = int(answer)
        self._child_created = True
        both = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in both))  # type: ignore[attr-defined]


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Within the block, what loses its parent below this process becomes its child."""
    libc, get, become = ctypes.CDLL(None, use_errno=True), 37, 36  # PR_GET_CHILD_SUBREAPER, PR_SET_CHILD_SUBREAPER
    before = ctypes.c_int()
    if libc.prctl(get, ctypes.byref(before), 0, 0, 0) or libc.prctl(become, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    try:
        yield
    finally:
        libc.prctl(become, before.value, 0, 0, 0)


def start_program(script: Path, *arguments: str, imports: tuple[str, ...], **options: Any) -> subprocess.Popen[str]:
    """As subprocess.Popen in text mode and in a session of its own, of `python script arguments`.

    imports: names of modules that are imported already, where the system can do so.
    """
    if sys.platform != "linux":
        return subprocess.Popen([sys.executable, str(script), *arguments], text=True, start_new_session=True, **options)
    return Program(script, *arguments, imports=imports, **options)


def launch(
    launches: Launches, script: str | Path, *arguments: str, imports: tuple[str, ...], cwd: Path | None = None
) -> subprocess.Popen[str]:
    """As `launches.launch`, of `python script arguments`, with `imports` done already."""
    process = start_program(
        Path(script),
        *arguments,
        imports=imports,
        cwd=cwd or launches.directory,
        env={**os.environ, **launches.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    launches.launched.append(process)
    return process


def run_program(
    script: Path, *arguments: str, imports: tuple[str, ...], cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with the output captured as text: `python script arguments`, with `imports` done already."""
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with start_program(script, *arguments, imports=imports, cwd=cwd, env=env, stdin=subprocess.DEVNULL, **pipes) as it:
        stdout, stderr = it.communicate()
        return subprocess.CompletedProcess(it.args, it.returncode, stdout, stderr)

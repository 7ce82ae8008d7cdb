"""`ddrsa serve` in a process of its own, and questions to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from programs import start_program

ROOT = Path(__file__).parents[2]
IMPORTS = ("ddrsa.live.command", "starlette.staticfiles", "starlette.middleware.gzip")


class Served:
    """A server that has said its address."""

    def __init__(self, process: subprocess.Popen[str], said: list[str]) -> None:
        self.process, self.said = process, said
        found = re.search(r"http://\S+", said[-1])
        assert found is not None, said
        self.address = found[0]
        self.port = urlsplit(self.address).port
        self.token = urlsplit(self.address).query.removeprefix("token=")

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> tuple[int, Any, str]:
        """Status, headers and text of an answer; the path goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = dict(headers or {})
        connection.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, answer.headers, text

    def api(self, name: str, **parameters: Any) -> dict[str, Any]:
        """An answer of the API."""
        status, _, text = self.ask(f"/api/{name}?{urlencode(parameters)}")
        assert status == 200, text
        content: dict[str, Any] = json.loads(text)
        return content

    def id_of(self, name: str) -> str:
        """The id of the sweep that is called so."""
        return next(str(each["id"]) for each in self.api("sweeps")["sweeps"] if each["name"].endswith(name))

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code and stderr, after a signal."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@contextmanager
def served(directory: Path, *options: str) -> Iterator[Served]:
    """A server of the sweeps beneath a directory, at a free port."""
    process = start_serving(str(directory), "--port", "0", *options)
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if "http://" in line:
                break
        yield Served(process, said)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def start_serving(*arguments: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return start_program(
        ROOT / "ddrsa" / "__main__.py", "serve", *arguments, imports=IMPORTS, cwd=ROOT, env=environ, **pipes
    )

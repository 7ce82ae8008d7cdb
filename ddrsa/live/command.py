"""The command `ddrsa serve`: the live page of the sweeps beneath a folder."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.metrics import SELECT_BY
from ddrsa.cli import ArgumentParser, in_one_line
from ddrsa.errors import UsageError
from ddrsa.live.app import Live, make_app
from ddrsa.live.guard import TOKEN, own_names
from ddrsa.started import subcommand
from ddrsa.texts import say

HERE = "127.0.0.1"
PORT = 8787

DESCRIPTION = """\
Show the sweeps beneath a folder in a browser while they run: progress, curves, failures, the runs as a table, the
present answer and its plots. It reads only. Ctrl+C ends it; the sweeps go on."""


@in_one_line
def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl+C; returns 0 then. Raises UsageError where there is no such folder, or the port is taken."""
    parser = ArgumentParser(prog=subcommand("serve"), description=DESCRIPTION)
    parser.add_argument("directory", nargs="?", default="multirun", help="of a sweep, or a folder of many (multirun)")
    parser.add_argument("--host", default=HERE, help="address to listen at; other than 127.0.0.1 it needs the token")
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes a free one ({PORT})")
    parser.add_argument("--token", action="store_true", help="ask for a token at 127.0.0.1 too: others may log in here")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name by which a proxy asks for the page"
    )
    parser.add_argument("--metric", help="by which a configuration is the best, as of analyze")
    parser.add_argument("--select-by", choices=SELECT_BY, help="the units on which it is taken, as of analyze")
    options = parser.parse_args(list(arguments))
    root = Path(options.directory)
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such directory")
    if not 0 <= options.port < 2**16:
        raise UsageError(f"--port {options.port}: allowed are 0 to 65535")
    listening = listen(options.host, options.port)
    token = secrets.token_urlsafe(24) if options.token or not is_loopback(listening) else None
    live = Live(root, Choice(options.metric, options.select_by))
    try:
        found = live.folder.sweeps()
        if not found:
            say(f"there is no sweep in {root} yet: the page shows it when one begins")
        say(f"{address(listening, options.host, token)}  (Ctrl+C ends it)")
        serve(live, listening, own_names(options.host, options.allow_host), token)
    finally:
        live.close()
        listening.close()
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError where the port is taken, or the address is not this machine's."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise UsageError(f"--host {host}: {error.strerror}") from error
    found = socket.socket(family, kind, protocol)
    try:
        # As every server does: the port of one that has just ended can be taken at once.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(128)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} of {host} is taken: --port 0 takes a free one") from error
        raise UsageError(f"--host {host} --port {port}: {error.strerror or error}") from error
    return found


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can ask."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def address(listening: socket.socket, host: str, token: str | None) -> str:
    """What is typed into a browser."""
    port = listening.getsockname()[1]
    everywhere = ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_unspecified
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + ("" if token is None else f"?{TOKEN}={token}")


def serve(live: Live, listening: socket.socket, names: frozenset[str], token: str | None) -> None:
    """Answer until the process is told to end."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        make_app(live, names, token),
        log_config=None,
        access_log=False,  # addresses have the token in them
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
    )
    # uvicorn gives itself what it was told again when it has ended; what this server has started ends with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])

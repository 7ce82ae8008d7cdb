"""Guard of the live page: who may ask, for what, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing from elsewhere, no script and no style but those of the server's own files.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# A plot that is opened by itself is a document: one without scripts.
IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

TOKEN = "token"
# Files of the package, with nothing of a sweep in them.
OPEN_PATHS = ("/static/",)


def own_names(host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """The names by which this machine may be asked for: those that a page of somebody else cannot have."""
    names = {"localhost", host, socket.gethostname(), socket.getfqdn(), *more}
    return frozenset(name.lower().rstrip(".") for name in names if name)


class Guard:
    """Lets through GET and HEAD, under a name of this machine's own, with the token.

    names: allowed in the header Host; an IP address always is. A page elsewhere whose name leads to this machine
    (DNS rebinding) is asked for by its own name. token: None where none is needed.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str], token: str | None) -> None:
        self.app, self.names, self.token = app, names, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {"Content-Security-Policy": POLICY, **_HEADERS}.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope)
        app = self.app if refused is None else refused
        await app(scope, receive, send_guarded)

    def _refused(self, scope: Scope) -> PlainTextResponse | None:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("this page can only be read\n", 405, {"Allow": "GET, HEAD"})
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return PlainTextResponse("this name is not one of this machine: --allow-host NAME allows it\n", 421)
        if self.token is not None and not scope["path"].startswith(OPEN_PATHS):
            given = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [""])
            if not hmac.compare_digest(given[-1].encode(), self.token.encode()):
                return PlainTextResponse("the address needs ?token=... as ddrsa serve has printed it\n", 403)
        return None

    def _is_own(self, host: str) -> bool:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.strip("[]").lower().rstrip(".")
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

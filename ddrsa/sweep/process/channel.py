"""Messages with descriptors between a launcher and the server of its attempts, over a stream socket.

A message is a JSON object on a line. Of the socket types that keep messages apart, macOS has none for descriptors.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections import deque
from typing import Any

BUFFER_BYTES = 2**18  # macOS gives a socket 8 KiB, which the starts of a hundred runs would fill
MOST_DESCRIPTORS = 16  # in one read


class Channel:
    """One end. The end of the other process, however it came, is an EOFError in `receive` and an OSError in `send`."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._received = b""
        self._descriptors: deque[int] = deque()
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)

    def fileno(self) -> int:
        """For a selector. It is ready to read when `receive` may have a message that it had not before."""
        return self._socket.fileno()

    def send(self, *descriptors: int, **content: Any) -> None:
        """Send a message. The descriptors must stay open until it is answered (macOS drops closed ones on the way)."""
        line = json.dumps({**content, "descriptors": len(descriptors)}).encode() + b"\n"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        sent = self._socket.sendmsg([line], rights)
        self._socket.sendall(line[sent:])

    def receive(self, timeout: float) -> tuple[dict[str, Any], list[int]]:
        """The next message, and the descriptors that came with it, which no exec inherits.

        Raises TimeoutError where there is none within `timeout` seconds, and EOFError.
        """
        self._socket.settimeout(max(timeout, 0.0001))
        try:
            while b"\n" not in self._received:
                self._read()
        finally:
            self._socket.settimeout(None)
        line, _, self._received = self._received.partition(b"\n")
        content: dict[str, Any] = json.loads(line)
        # They arrive with the first byte of their message, in the order of the messages.
        return content, [self._descriptors.popleft() for _ in range(content.pop("descriptors"))]

    def close(self) -> None:
        """Close this end, and what it has not given out: a forked process must not keep the lock of another's run."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _read(self) -> None:
        try:
            flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
            content, descriptors, _, _ = socket.recv_fds(self._socket, 65536, MOST_DESCRIPTORS, flags)
        except ConnectionResetError as error:
            raise EOFError from error
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._descriptors += descriptors
        if not content:
            raise EOFError
        self._received += content

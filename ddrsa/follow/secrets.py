"""Secrets of trackers and receivers: taken out of every text before anybody reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
# Values of variables with such names are secrets, whatever they look like.
_NAMES = re.compile(r"TOKEN|PASSWORD|PASSWD|SECRET|API_?KEY|CREDENTIAL|PRIVATE_KEY", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(?<=[?&;])([^=\s&]*(?:token|key|secret|passw|sig)[^=\s&]*)=[^&\s\"']+", re.IGNORECASE)


def without_secrets(text: object, more: Iterable[str] = ()) -> str:
    """The text without passwords and tokens: those of the environment, of addresses, and `more`."""
    shown = str(text)
    known = [value for name, value in os.environ.items() if _NAMES.search(name)]
    known += [part for value in os.environ.values() if "://" in value and "@" in value for part in _parts(value)]
    for secret in sorted({each for each in (*known, *more) if len(each) >= 4}, key=len, reverse=True):
        shown = shown.replace(secret, HIDDEN)
    return _QUERY.sub(rf"\1={HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", shown))


def _parts(address: str) -> list[str]:
    try:
        password = urlsplit(address).password
    except ValueError:
        return []
    return [] if not password else [password, unquote(password)]


def without_userinfo(address: str) -> str:
    """The address of a server without name, password and query."""
    return _USERINFO.sub("", address).partition("?")[0]

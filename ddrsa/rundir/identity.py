"""Identity of a run: a hash of what it is, whole in its files, and shorter in the names of directories."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

# 64 bits: among a million runs two share them with a chance of one in 30 million, and then the whole hash tells them
# apart.
_DIGITS_IN_NAMES = 16
_WHOLE = re.compile(r"[0-9a-f]{64}")
_EARLIER = re.compile(r"[0-9a-f]{8}")


def identity_of(content: Any) -> str:
    """SHA-256 of plain values, whatever the order of their keys: 64 hexadecimal digits."""
    canonical = json.dumps(_with_text_keys(content), sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def in_names(identity: str) -> str:
    """What stands of an identity in names: 16 digits of a hash; all of what a project gives its runs itself."""
    return identity[:_DIGITS_IN_NAMES] if is_whole(identity) else identity


def is_whole(identity: str) -> bool:
    """Whether it is a hash as `identity_of` gives it."""
    return _WHOLE.fullmatch(identity) is not None


def is_of_earlier_version(identity: str) -> bool:
    """Whether it may be a hash of an earlier version: its 32 bits were too few, two runs could share them."""
    return _EARLIER.fullmatch(identity) is not None


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value

"""What is done when a sweep has ended, in order, however it ended: also after Ctrl+C, and under any launcher."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable

log = logging.getLogger(__name__)

_hooks: list[tuple[int, str, Callable[[], None]]] = []
_owner: int | None = None


def at_end(order: int, name: str, hook: Callable[[], None]) -> None:
    """Call `hook` when the sweep of this process has ended, those with a lower `order` first.

    Hydra tells of the end of a sweep only where nothing was raised; the end of the program tells the others.
    """
    global _owner
    if _owner != os.getpid():
        _hooks.clear()  # inherited by a fork
        _owner = os.getpid()
        atexit.register(end)
    _hooks.append((order, name, hook))


def end() -> None:
    """Do what is to be done; nothing, when it has been done, and in a process that was forked from the launcher's."""
    if _owner != os.getpid():
        return
    hooks = sorted(_hooks, key=lambda each: each[0])
    _hooks.clear()
    for _, name, hook in hooks:
        try:
            hook()
        except KeyboardInterrupt:
            log.warning("%s: left out, by Ctrl+C", name)
        except Exception as error:  # the sweep has ended as it has: nothing that comes after changes that
            log.warning("%s: %s: %s", name, type(error).__name__, " ".join(str(error).split()))

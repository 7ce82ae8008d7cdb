"""Addresses of messages, which stand in the environment and nowhere else."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from typing import Any

from ddrsa.errors import ConfigError
from ddrsa.extras import needed

VARIABLE = "DDRSA_NOTIFY"
_NAME = re.compile(r"[A-Za-z_]\w*")


def variables(value: Any) -> list[str]:
    """The variables that `notify` names. Raises ConfigError, which shows no value: it may be an address."""
    given = [] if value is None else value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not all(isinstance(each, str) and _NAME.fullmatch(each) for each in given):
        raise ConfigError(
            "notify takes env, or names of variables of the environment that hold the addresses, and no address: "
            f"export {VARIABLE}='mailto://...' and notify=[env]"
        )
    return list(dict.fromkeys(VARIABLE if each == "env" else each for each in given))


def refuse_addresses(arguments: Sequence[str]) -> None:
    """Raise ConfigError where an argument of the command line gives `notify` an address, before anybody shows it."""
    for argument in arguments:
        key, _, value = argument.lstrip("+~").partition("=")
        if (key == "notify" or key.startswith("hydra.callbacks.notify")) and "://" in value:
            variables("://")


def read_addresses(names: Sequence[str]) -> list[str]:
    """The addresses in these variables, several in one with spaces between them. Raises ConfigError without any."""
    found = []
    for name in names:
        words = os.environ.get(name, "").split()
        if not words:
            raise ConfigError(f"notify: the environment has no {name}, with the addresses that messages go to")
        found += words
    return found


def open_addresses(names: Sequence[str]) -> Any:
    """Apprise with these addresses. Raises ConfigError where it cannot use one, and UsageError without the extra."""
    apprise = needed("apprise", "notify")
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.CRITICAL + 1)  # it would print the address
    receivers = apprise.Apprise()
    for number, address in enumerate(read_addresses(names), start=1):
        if not receivers.add(address):
            kind = re.match(r"\w+(?=://)", address)
            shown = f"of the kind {kind[0]}://" if kind else "without a kind like mailto://"
            raise ConfigError(
                f"notify: address {number} of {', '.join(names)}, {shown}, is none that Apprise can use: "
                "https://github.com/caronc/apprise/wiki lists them"
            )
    return receivers

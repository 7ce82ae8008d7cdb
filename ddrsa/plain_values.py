"""Plain values in the place of a config: what the checks of a job read, a hundred times as fast as from OmegaConf."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "takes_plain_values"
_NUMBERS = (bool, int, float)


class PlainValues(dict[str, Any]):
    """The resolved values of a job's config, without `hydra` and without the keys that only the run itself resolves.

    Jobs of one sweep share what is the same in them, so nothing in it may be changed. `base` has the values of the job
    that the others differ from.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        base: Mapping[str, Any] | None = None,
        known: dict[Any, Any] | None = None,
    ) -> None:
        super().__init__(values)
        self.base = values if base is None else base
        self._known: dict[Any, Any] = {} if known is None else known  # of all jobs with this base
        self._own: dict[Any, Any] = {}

    def without(self, keys: set[str] | frozenset[str]) -> PlainValues:
        """The same without some keys of the top level."""
        return PlainValues({key: value for key, value in self.items() if key not in keys}, self.base, self._known)

    def once(self, name: str, key: str, make: Callable[[Any], Any]) -> Any:
        """`make(self[key])`, made once for all jobs that share this value. name: of what is made."""
        value = self[key]
        if self.base.get(key) is not value:
            return make(value)
        if (name, key) not in self._known:
            self._known[name, key] = make(value)
        return self._known[name, key]

    def own(self, name: str, make: Callable[[], Any]) -> Any:
        """`make()`, made once for this job."""
        if name not in self._own:
            self._own[name] = make()
        return self._own[name]


def takes_plain_values(function: Function) -> Function:
    """Mark a function of a config that may be given `PlainValues` in its place, and then answers the same.

    Where it cannot, it raises anything: it is called again with the config.
    """
    setattr(function, _MARK, True)
    return function


def does_take_plain_values(function: Callable[..., Any]) -> bool:
    """Whether it is so marked."""
    return getattr(function, _MARK, False) is True


def as_plain(value: Any) -> Any:
    """The value as JSON can say it, the same in each process that makes it.

    What a schema or a resolver may give beside plain values is its text, as Hydra writes it: the name of a member of
    an enumeration, a path. Of an object this is its `str`, without the address at which it lies.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {_as_key(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    if getattr(value, "ndim", None) == 0 and type(number := value.item()) in _NUMBERS:  # numpy's, torch's
        return number
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))


def holds_object(value: Any) -> bool:
    """Whether there is an object in it of which `as_plain` has no more than a text: others may have the same one."""
    if isinstance(value, Mapping):
        return any(map(holds_object, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_object, value))
    if value is None or isinstance(value, str | bytes | Enum | PurePath | Real):
        return False
    return not (getattr(value, "ndim", None) == 0 and type(value.item()) in _NUMBERS)


def _as_key(key: Any) -> Any:
    """A key as a text, but a number, which JSON makes one."""
    return key if type(key) in (bool, int, float, str) else str(as_plain(key))

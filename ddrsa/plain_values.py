"""Plain values in the place of a config: what the checks of a job read, a hundred times as fast as from OmegaConf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "takes_plain_values"


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

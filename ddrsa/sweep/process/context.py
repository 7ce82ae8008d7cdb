"""What all runs of a sweep share, as it gets to their processes."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType
from typing import Any

import cloudpickle
from hydra.types import HydraContext, TaskFunction

from ddrsa.compat_hydra import restore_singletons
from ddrsa.errors import ConfigError


@dataclass(frozen=True)
class Context:
    """What all runs of a sweep share."""

    hydra_context: HydraContext
    task_function: TaskFunction
    singletons: dict[Any, Any]


def pickle_context(context: Context) -> bytes:
    """For `restore_context`, in another process.

    Raises ConfigError where the task cannot be pickled: one of `__main__` is, with the globals that it uses.
    """
    try:
        return cloudpickle.dumps(context)
    except Exception as error:  # whatever an object of the user's raises
        names = _globals_that_cannot_be_pickled(context.task_function)
        shown = f" It uses {', '.join(names)}: make that within the task, or in a module of its own." if names else ""
        why = " ".join(str(error).split())
        raise ConfigError(
            f"the task cannot be given to processes of its own: {type(error).__name__}: {why}.{shown}"
        ) from error


def _globals_that_cannot_be_pickled(function: Any) -> list[str]:
    codes = [function.__code__] if hasattr(function, "__code__") else []
    names: dict[str, None] = {}
    while codes:
        code = codes.pop()
        names |= dict.fromkeys(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    values = {name: function.__globals__[name] for name in names if name in function.__globals__}
    return [name for name, value in values.items() if not _can_be_pickled(value)]


def _can_be_pickled(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:  # as above
        return False
    return True


def restore_context(pickled: bytes) -> Context:
    """Unpickle, and give this process Hydra's global state of the process that pickled."""
    context: Context = cloudpickle.loads(pickled)
    restore_singletons(context.singletons)
    return context

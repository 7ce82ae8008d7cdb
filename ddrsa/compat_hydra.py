"""The parts of Hydra and OmegaConf that are not public, each behind a function. Seen in Hydra 1.3.2 to 1.4.0rc3."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import hydra
import hydra._internal.config_loader_impl as loader
from hydra._internal.utils import run_and_report
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import AnyNode, DictConfig, OmegaConf, ValueNode
from omegaconf.basecontainer import BaseContainer

# For `hydra.main` and `initialize`: the behaviour of Hydra 1.3. Hydra 1.4 has it by default, and warns to ask for it.
VERSION_BASE: dict[str, Any] = {} if hydra.__version__.startswith("1.4") else {"version_base": "1.3"}


def apply_overrides(overrides: list[Override], config: DictConfig) -> None:
    """Change `config` by overrides of values, as Hydra does when it composes. Raises Hydra's and OmegaConf's errors."""
    loader.ConfigLoaderImpl._apply_overrides_to_config(overrides, config)


def note_override_dirname(config: DictConfig, overrides: Sequence[Override]) -> None:
    """Write `hydra.job.override_dirname` of a job that was given these overrides of its task.

    From Hydra 1.4 on it is a resolver, which reads `hydra.overrides.task`, and nothing is to be written.
    """
    dirname = getattr(loader, "get_overrides_dirname", None)
    if dirname is not None:
        config.hydra.job.override_dirname = dirname(list(overrides), **config.hydra.job.config.override_dirname)


@contextmanager
def shown_by_hydra_config(config: DictConfig) -> Iterator[None]:
    """In this block `HydraConfig.get()` is `config.hydra`: as by its `set_config`, which copies the whole."""
    instance = HydraConfig.instance()
    previous = instance.cfg
    instance.cfg = config  # type: ignore[assignment]
    try:
        yield
    finally:
        instance.cfg = previous


def restore_singletons(state: dict[str, Any]) -> None:
    """Give this process what `Singleton.get_state` gave in another.

    The public `set_state` would also look for Hydra's plugins, a tenth of a second that no task needs.
    """
    Singleton._instances = state["instances"]
    BaseContainer._resolvers = state["omegaconf_resolvers"]


def returned(result: JobReturn) -> Any:
    """What a job returned, or raised where its status is FAILED: the public `return_value` would print and raise it."""
    return result._return_value


def set_returned(result: JobReturn, value: Any) -> None:
    """Set what `returned` gives, on an object that was made without its `__init__`."""
    result._return_value = value
    # Of a job in another process, as Hydra 1.4 has them; a subclass without dataclass fields has no defaults for them.
    for name in ("_remote_traceback", "_remote_exception_chain", "_remote_exception_group"):
        setattr(result, name, None)


def raise_without_a_word() -> None:
    """Let `JobReturn.return_value` of a failed job raise without its line on stderr, in all of this process."""

    def value(job: JobReturn) -> Any:
        if job.status == JobStatus.FAILED:
            raise returned(job)
        return returned(job)

    setter = JobReturn.return_value.fset  # type: ignore[attr-defined]
    JobReturn.return_value = property(value, setter)  # type: ignore[method-assign, assignment]


def let_hydras_parser_complain(complain: Callable[[argparse.ArgumentParser, str], NoReturn]) -> None:
    """Let `complain` tell what is wrong with the flags of a command line, in all of this process."""
    module: Any = sys.modules[hydra.main.__module__]
    make_parser = module.get_args_parser

    def parser_that_complains() -> argparse.ArgumentParser:
        parser: Any = make_parser()
        parser.error = lambda message: complain(parser, message)
        return parser

    module.get_args_parser = parser_that_complains


def reports_errors_itself() -> bool:
    """Whether Hydra would print an exception raised here and end the program: below `hydra.main`.

    There is no sign of it but the function on the stack. HYDRA_FULL_ERROR lets the exception through.
    """
    if os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0"):
        return False
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is run_and_report.__code__:
            return True
        frame = frame.f_back
    return False


@dataclass(frozen=True)
class KnownResolver:
    """A resolver of which it is known what it reads.

    constant: its arguments alone, and what does not change while a sweep is planned. Else, besides them, only the items
    of `_root_`, for which `function` takes `PlainValues` too.
    """

    function: Callable[..., Any]
    constant: bool


_known_resolvers: dict[str, tuple[Any, KnownResolver]] = {}


def register_resolver(
    name: str, resolver: Callable[..., Any], *, constant: bool = False, plain_root: bool = False
) -> None:
    """Make `${name:...}` known to OmegaConf, or replace it.

    OmegaConf 2.4 warns of `register_new_resolver`; the `register_resolver` of those before is another, which is gone.
    constant, plain_root: see `KnownResolver`.
    """
    register: Callable[..., None] = OmegaConf.register_resolver
    if "annotation_validation" in inspect.signature(register).parameters:
        register(name, resolver, replace=True, annotation_validation="off")
    else:
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    _known_resolvers.pop(name, None)
    if constant or plain_root:
        _known_resolvers[name] = (BaseContainer._resolvers[name], KnownResolver(resolver, constant))


def known_resolver(name: str) -> KnownResolver | None:
    """What is known of a resolver; None where somebody else has put another in its place since."""
    registered, known = _known_resolvers.get(name, (None, None))
    return known if BaseContainer._resolvers.get(name) is registered else None


def resolver_cache(config: DictConfig) -> dict[str, Any]:
    """The results of cached resolvers, such as `now`, by their names."""
    return {name: dict(results) for name, results in OmegaConf.get_cache(config).items() if results}


class _Forms(dict[tuple[str, ...], str]):
    """What a cached resolver is taken to have given: its arguments."""

    def __missing__(self, arguments: tuple[str, ...]) -> str:
        return f"now:{','.join(arguments)}"


@contextmanager
def clock_by_its_form(config: DictConfig) -> Iterator[None]:
    """In the block `${now:%Y}` gives its form in `config`, in the place of the time.

    Hydra's resolver is a cached one: OmegaConf looks for its results by its arguments first; seen in 2.3.
    """
    cache = OmegaConf.get_cache(config)
    times = cache.pop("now", None)
    cache["now"] = _Forms()
    try:
        yield
    finally:
        del cache["now"]
        if times is not None:
            cache["now"] = times


def value_node(config: DictConfig, path: Sequence[str]) -> ValueNode | None:
    """The node of a value, as it is written; None where there is none, or what lies above it is no plain mapping."""
    node: Any = config
    for key in path:
        if not isinstance(node, DictConfig) or node._is_none() or node._is_missing() or node._is_interpolation():
            return None
        node = node._get_node(key)
    return node if isinstance(node, ValueNode) else None


def converted(node: ValueNode, value: Any) -> Any:
    """The result of an interpolation as the type of its node has it. Raises OmegaConf's ValidationError."""
    if isinstance(node, AnyNode):
        return value
    result = node.validate_and_convert(value)
    return value if type(result) is type(value) else result


def trust_callback(target: str) -> None:
    """Let Hydra make the callback `target` of the project's own config without a warning.

    Hydra 1.4 warns of every `_target_` that it instantiates without a list of what may be executed, also where it is
    Hydra itself that passes none, as for `hydra.callbacks`.
    """
    shown = re.escape(f"hydra.utils.instantiate() resolved _target_={target!r} with no")
    warnings.filterwarnings("ignore", message=shown, category=UserWarning)

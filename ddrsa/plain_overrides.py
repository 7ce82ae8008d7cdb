"""Overrides of the command line that a sweep directory may bring by itself, because they hold plain values only.

Whoever can write a sweep directory chooses its overrides. What could run code, write elsewhere or read secrets when
the sweep goes on must be typed again by the one who trusts it. docs/security.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, Sweep
from hydra.errors import HydraException

from ddrsa.interpolations import HARMLESS, called_resolvers
from ddrsa.overrides import override_text

_GROUPS = frozenset(
    {"launcher", "sweeper", "sweeper/sampler", "sweeper/pruner", "job_logging", "hydra_logging", "output"}
    | {"tracking", "report", "notify"}
)
# Keys of hydra.* that are numbers, names and conditions. Those that end in a dot are mappings of them.
_HYDRA_KEYS = (
    *("mode", "verbose", "job.chdir", "sweep.dir", "sweep.subdir", "sweeper.params", "sweeper.params."),
    *(f"launcher.{key}" for key in ("n_jobs", "retries", "timeout", "max_failures", "optional", "pre_dispatch")),
    *(f"launcher.{key}" for key in ("value_name", "direction")),
    *(f"launcher.{key}" for key in ("rank_by", "rank_by.", "columns", "columns.", "kind_keys", "packages")),
    *(f"sweeper.{key}" for key in ("max_batch_size", "only", "exclude", "zip", "dry_run", "name_key", "direction")),
    *(f"sweeper.{key}" for key in ("objective", "objective_group", "max_steps", "n_trials", "n_jobs", "study_name")),
    *(f"sweeper.{key}" for key in ("max_failure_rate", "search_space", "search_space.", "enqueue")),
    *("sweeper.sampler.", "sweeper.pruner."),
)
# With these Hydra makes objects of whatever class they name, wherever they stand.
_MAKES = re.compile(r"_(target|partial|args|convert|recursive)_")
_UPWARDS = re.compile(r"(^|[/\\])\.\.([/\\]|$)")


def why_not_plain(text: str, programs: Sequence[str] = ()) -> str | None:
    """Why `text`, an override, is not taken from a directory; None where it is.

    programs: dotted keys of the project that say what it executes, and where.
    """
    try:
        override = OverridesParser.create().parse_override(text)
        values = list(_texts(override.value()))
    except (HydraException, RecursionError, ValueError):
        return "it is no override"
    key = override.key_or_group
    package = override.package or ""
    if any(_MAKES.search(each) for each in (key, package, *values)):
        return "it may name a class"
    if re.fullmatch(r"hydra(\W.*)?|_\w+_", package):
        return "it changes how Hydra works"
    if key.partition("/")[0].partition(".")[0] == "hydra":
        return _why_not_of_hydra(override, values, programs)
    if any(f"{key}.".startswith(f"{each}.") or each.startswith(f"{key}.") for each in programs):
        return "it may say which program is run"
    called = {name for each in values for name in called_resolvers(each)} - HARMLESS
    if called:
        return f"it calls a resolver ({', '.join(sorted(called))})"
    # A group of config files may be told to look elsewhere.
    if "." not in key and any(_UPWARDS.search(each) for each in values):
        return "it leads out of a directory"
    return None


def _why_not_of_hydra(override: Override, values: Sequence[str], programs: Sequence[str]) -> str | None:
    key = override.key_or_group
    if "/" in key:
        known = key.removeprefix("hydra/") in _GROUPS and not override.is_delete()
        return None if known and all(re.fullmatch(r"[\w-]+", each) for each in values) else "it changes how Hydra works"
    name = key.removeprefix("hydra.")
    if override.is_delete() or not any(
        name == each or (each[-1] == "." and name.startswith(each)) for each in _HYDRA_KEYS
    ):
        return "it changes how Hydra works"
    if {called for each in values for called in called_resolvers(each)} - HARMLESS:
        return "it calls a resolver"
    if name == "sweep.subdir" and any(_UPWARDS.search(each) or each.startswith("/") for each in values):
        return "it leads out of the directory"
    for inner, value in _params(name, override.value()):
        if (why := why_not_plain(f"{inner}={value}", programs)) is not None:
            return why
    return None


def _params(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The overrides within `hydra.sweeper.params`, whose texts are overrides again, and the keys of search spaces."""
    for mapping in ("sweeper.params", "sweeper.search_space"):
        is_text = mapping == "sweeper.params"
        if name.startswith(f"{mapping}."):
            yield name.removeprefix(f"{mapping}."), _plain(value) if is_text else "0"
        elif name == mapping and isinstance(value, dict):
            for key, item in value.items():
                yield _plain(key), _plain(item) if is_text else "0"


def _plain(value: Any) -> str:
    value = value.text if isinstance(value, QuotedString) else value
    return value if isinstance(value, str) else override_text(value)


def _texts(value: Any) -> Iterator[str]:
    """All texts in a parsed value, keys too."""
    if isinstance(value, QuotedString):
        yield value.text
    elif isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Sweep):
        # Choices, ranges, globs, intervals: whatever they hold.
        for item in vars(value).values():
            yield from _texts(item)
    elif hasattr(value, "__dict__"):
        for item in vars(value).values():
            yield from _texts(item)

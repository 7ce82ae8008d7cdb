"""The grammar of Hydra's overrides: the key of an override, and the text of a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Texts that stand for themselves, but for the words that Hydra reads as a value of another type.
_PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[a-z_/][\w./+-]*", re.IGNORECASE | re.ASCII)


def task_overrides(config: DictConfig) -> list[str]:
    """Those of the task in `config.hydra` as they were given; an item of OmegaConf's list would be resolved."""
    from omegaconf import OmegaConf

    written: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    return written


def override_parts(override: str) -> tuple[str, str]:
    """Key and value of `+key@package=value`: the key with its package, without `+` and `~`."""
    key, _, value = override.lstrip("+~").partition("=")
    return key, value


def override_key(override: str) -> str:
    """The key of `+key@package=value` alone, without the package that a config group is put into."""
    return override_parts(override)[0].partition("@")[0]


def override_text(value: Any) -> str:
    """`value` as Hydra reads it from an override: with the same type and content. A text is quoted only if it must be.

    Numbers, texts, null, booleans, and lists and mappings of them.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_item_text, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_item_text(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) or (value and is_override_text(value, value)) else quoted(value)


def _item_text(value: Any) -> str:
    # Within brackets more characters have a meaning.
    return quoted(value) if isinstance(value, str) and not _PLAIN.fullmatch(value) else override_text(value)


def is_override_text(text: str, value: Any = ...) -> bool:
    """Whether Hydra reads `text` as one value, and not as several to sweep over; if `value` is given, as just that."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return False
    return not override.is_sweep_override() and (value is ... or override.value() == value)


def quoted(text: str) -> str:
    """`text` in single quotes, so that Hydra reads it as a text whatever it looks like."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()

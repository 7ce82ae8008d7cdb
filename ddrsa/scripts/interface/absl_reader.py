"""Reader of the flags that a script defines by absl, or by TensorFlow's name for it."""

from __future__ import annotations

import ast

from ddrsa.scripts.interface.literals import UNKNOWN
from ddrsa.scripts.interface.source import FLAG, LIST, REPEATED, VALUE, Findings, Option, Source, known_default

_DEFINES = "DEFINE_"
_FLAGS = ("bool", "boolean")
_LISTS = ("list",)
_MULTI = "multi_"
_REQUIRES = ("mark_flag_as_required", "mark_flags_as_required")


def read_absl(source: Source, found: Findings) -> None:
    """Add to `found` the flags that the script defines itself. Any module that it imports may define more."""
    required = _required(source)
    for node in ast.walk(source.tree):
        kind = _kind(node)
        if kind is None or not isinstance(node, ast.Call):
            continue
        name = source.value(node.args[0]) if node.args else source.keyword(node, "name")
        if not isinstance(name, str):
            continue
        default = source.value(node.args[1]) if len(node.args) > 1 else source.keyword(node, "default")
        needed = name in required or source.keyword(node, "required") is True
        found.options.append(
            Option(
                (f"--{name}",),
                _takes(kind),
                off_names=(f"--no{name}",) if kind in _FLAGS else (),
                destination=name,
                default=None if isinstance(default, tuple) else known_default(default),
                required=needed and default is None,
            )
        )
    found.complete = False


def _kind(node: ast.AST) -> str | None:
    """The kind of flag that a call defines: string, integer, multi_float; None for any other node."""
    if not isinstance(node, ast.Call):
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return str(name).removeprefix(_DEFINES) if str(name).startswith(_DEFINES) else None


def _takes(kind: str) -> str:
    if kind in _FLAGS:
        return FLAG
    if kind in _LISTS:
        return LIST
    return REPEATED if kind.startswith(_MULTI) else VALUE


def _required(source: Source) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _REQUIRES:
            value = source.value(node.args[0]) if node.args else UNKNOWN
            names |= {value} if isinstance(value, str) else set(value) if isinstance(value, tuple) else set()
    return names

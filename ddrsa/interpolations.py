"""Interpolations in texts: which resolvers they would call, and what they refer to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omegaconf import grammar_parser
from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser

# What it refers to, or what Hydra was given: they read nothing from outside of the config, and do nothing.
HARMLESS = frozenset({"hydra", "now", "oc.select", "oc.dict.keys", "oc.dict.values"})


def called_resolvers(text: str) -> set[str]:
    """The resolvers that `text` calls when it is resolved: ${oc.env:HOME} calls oc.env, ${a.b} none.

    A name that is made of other interpolations, as in ${${a}:HOME}, is `?`, and so is a text that cannot be read.
    """
    if "${" not in text:
        return set()
    try:
        return set(_calls(grammar_parser.parse(text)))
    except (OmegaConfBaseException, RecursionError):
        return {"?"}


def _calls(node: Any) -> list[str]:
    found = []
    if isinstance(node, OmegaConfGrammarParser.InterpolationResolverContext):
        name = node.getChild(1).getText()  # ${ NAME : ... }
        found = ["?" if "$" in name else name]
    children = node.getChildren() if hasattr(node, "getChildren") else ()
    return found + [name for child in children for name in _calls(child)]


@dataclass(frozen=True)
class Interpolation:
    """What a text with interpolations reads.

    references: the keys, each with the number of dots before it: 0 for one from the top.
    resolvers: those that it calls.
    parts: of a text that is made of pieces, ${a.b} and ${name:} alone, in their order: ("text", piece), ("key", a.b) or
        ("call", name). None for any other.
    """

    references: frozenset[tuple[int, str]]
    resolvers: frozenset[str]
    parts: tuple[tuple[str, str], ...] | None


_REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_]\w*(?:\.\w+)*)\}", re.ASCII)
_PART = re.compile(r"\$\{([A-Za-z_]\w*(?:\.\w+)*)(:?)\}|([^$\\]+)", re.ASCII)


@lru_cache(maxsize=4096)
def interpolation(text: str) -> Interpolation | None:
    """What `text` reads; None where that cannot be told, as of ${a.${b}}."""
    try:
        found = list(_found(grammar_parser.parse(text)))
    except (OmegaConfBaseException, RecursionError):
        return None
    references, resolvers = set(), set()
    for kind, name in found:
        if kind == "call":
            resolvers.add(name)
            continue
        match = _REFERENCE.fullmatch(name)
        if match is None:
            return None
        references.add((len(match[1]), match[2]))
    if any("$" in name for name in resolvers):
        return None
    return Interpolation(frozenset(references), frozenset(resolvers), _parts(text))


def _found(node: Any) -> list[tuple[str, str]]:
    found = []
    if isinstance(node, OmegaConfGrammarParser.InterpolationResolverContext):
        found = [("call", node.getChild(1).getText())]
    elif isinstance(node, OmegaConfGrammarParser.InterpolationNodeContext):
        found = [("key", node.getText())]
    children = node.getChildren() if hasattr(node, "getChildren") else ()
    return found + [each for child in children for each in _found(child)]


def _parts(text: str) -> tuple[tuple[str, str], ...] | None:
    parts, end = [], 0
    for match in _PART.finditer(text):
        if match.start() != end:
            return None
        end = match.end()
        kind = "text" if match[3] is not None else "call" if match[2] else "key"
        parts.append((kind, match[3] or match[1]))
    return tuple(parts) if end == len(text) else None

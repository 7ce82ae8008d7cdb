"""Interpolations in texts that somebody else may have written: which resolvers they would call."""

from __future__ import annotations

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

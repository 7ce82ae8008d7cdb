"""Values as words of a command line."""

from __future__ import annotations

import ast
from typing import Any


def as_text(value: Any) -> str:
    """A value as a program gets it that is no Python: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_literal(value: Any) -> str:
    """A value for a program that reads all values as Python's, with bare words as texts: quoted where it has to be."""
    if isinstance(value, str):
        return repr(value) if _is_a_literal(value) else value
    return repr(value)


class _BareWords(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Constant:
        return ast.copy_location(ast.Constant(node.id), node)


def _is_a_literal(text: str) -> bool:
    """Whether it would be read as another value than this text."""
    try:
        return bool(ast.literal_eval(_BareWords().visit(ast.parse(text, mode="eval"))) != text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return False

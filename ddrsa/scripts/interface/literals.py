"""Expressions of a source file that have one value whatever the program does, evaluated without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final


class Unknown:
    """The value of an expression that only the running program knows."""


UNKNOWN: Final = Unknown()


def constants(tree: ast.AST) -> dict[str, Any]:
    """The names in `tree` that are assigned once, and to a known value."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets: list[tuple[str, ast.expr | None]] = []
    for node in assigned:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            targets += [(target.id, node.value)] if isinstance(target, ast.Name) else []
    times = Counter(name for name, _ in targets)
    known: dict[str, Any] = {}
    for name, value in targets:
        if times[name] == 1 and value is not None:
            evaluated = evaluate(value, known)
            if evaluated is not UNKNOWN:
                known[name] = evaluated
    return known


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of `node`, or UNKNOWN; that of a list or a tuple is a tuple, and may have UNKNOWN in it."""
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return names.get(name, UNKNOWN)
        case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
            return tuple(evaluate(element, names) for element in elements)
        case ast.Dict(keys, values) if all(key is not None for key in keys):
            pairs = [
                (evaluate(key, names), evaluate(value, names)) for key, value in zip(keys, values, strict=True) if key
            ]
            return dict(pairs) if all(isinstance(key, str | int) for key, _ in pairs) else UNKNOWN
        case ast.UnaryOp(ast.USub(), operand):
            value = evaluate(operand, names)
            return -value if isinstance(value, int | float) else UNKNOWN
        case ast.BinOp(left, ast.Add(), right):
            parts = [evaluate(left, names), evaluate(right, names)]
            return "".join(parts) if all(isinstance(part, str) for part in parts) else UNKNOWN
        case ast.JoinedStr(values):
            parts = [evaluate(value, names) for value in values]
            return UNKNOWN if UNKNOWN in parts else "".join(map(str, parts))
        case ast.FormattedValue(value, -1, None):
            return evaluate(value, names)
        case ast.Call(ast.Name("dict"), [], keywords) if all(keyword.arg for keyword in keywords):
            return {str(keyword.arg): evaluate(keyword.value, names) for keyword in keywords}
        case ast.Call(ast.Attribute(owner, method), arguments, []):
            return _call(evaluate(owner, names), method, [evaluate(argument, names) for argument in arguments])
    return UNKNOWN


def _call(owner: Any, method: str, arguments: list[Any]) -> Any:
    if UNKNOWN in arguments:
        return UNKNOWN
    if isinstance(owner, str) and (method, len(arguments)) in (("replace", 2), ("lower", 0), ("upper", 0)):
        return getattr(owner, method)(*arguments)
    if isinstance(owner, dict) and method in ("items", "keys", "values") and not arguments:
        return tuple(getattr(owner, method)())
    return UNKNOWN

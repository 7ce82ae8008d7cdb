"""Reader of the options that a script gives to argparse."""

from __future__ import annotations

import ast
from typing import Any

from ddrsa.scripts.interface.literals import UNKNOWN, evaluate
from ddrsa.scripts.interface.source import (
    COUNT,
    FLAG,
    PYTHON_WORDS,
    REPEATED,
    VALUE,
    VALUES,
    Findings,
    Option,
    Source,
    known_default,
)

_TAKES = {
    **dict.fromkeys(("store_true", "store_false", "store_const", "append_const"), FLAG),
    **dict.fromkeys(("append", "extend"), REPEATED),
    "count": COUNT,
}
_GROUPS = ("add_argument_group", "add_mutually_exclusive_group")


def read_argparse(source: Source, found: Findings) -> None:
    """Add to `found` what every `add_argument` in the script defines.

    Loops over constants are unrolled. The options of subcommands are left out, since they need the subcommand; there,
    and where a parser comes from another file or goes to one, `found` is not complete.
    """
    reader = _Reader(source, found)
    reader.visit(source.tree)
    if not reader.makes_a_parser:
        found.complete = False


class _Reader(ast.NodeVisitor):
    def __init__(self, source: Source, found: Findings) -> None:
        self.source = source
        self.found = found
        self.names = dict(source.constants)
        self.makes_a_parser = False
        self.prefixes = "-"  # of options: prefix_chars of a parser may have others
        self.parsers, self.subparsers = _parsers(source.tree)

    def visit_For(self, node: ast.For) -> None:
        items = evaluate(node.iter, self.names)
        if not isinstance(items, tuple | dict):
            self.generic_visit(node)
            return
        before = dict(self.names)
        for item in items:
            self._bind(node.target, item)
            for statement in node.body:
                self.visit(statement)
        self.names = before

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            fits = isinstance(value, tuple) and len(value) == len(target.elts)
            for position, element in enumerate(target.elts):
                self._bind(element, value[position] if fits else UNKNOWN)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and self._adds_an_option(function):
            self._add(function.value, node)
        elif isinstance(function, ast.Attribute) and function.attr in ("add_subparsers", "parse_known_args"):
            self.found.complete = False
        elif _is_parser_class(function):
            self.makes_a_parser = True
            more = self._keyword(node, "prefix_chars")
            self.prefixes += more if isinstance(more, str) else ""
            parents = [keyword.value for keyword in node.keywords if keyword.arg == "parents"]
            if any(self._is_imported(part) for parent in parents for part in ast.walk(parent)):
                self.found.complete = False
        elif self._is_imported(function) and any(_root_name(argument) in self.parsers for argument in node.args):
            self.found.complete = False  # another file adds options to this parser
        self.generic_visit(node)

    def _adds_an_option(self, method: ast.Attribute) -> bool:
        # configargparse has shorter names for it, which are those of other things' methods too.
        of_a_parser = method.attr in ("add_arg", "add") and _root_name(method.value) in self.parsers
        return method.attr == "add_argument" or of_a_parser

    def _is_imported(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name | ast.Attribute) and bool(self.source.origin(node))

    def _add(self, parser: ast.expr, call: ast.Call) -> None:
        if _root_name(parser) in self.subparsers or _is_call_of(parser, "add_parser"):
            return
        values = [evaluate(argument, self.names) for argument in call.args]
        # A name may be known from elsewhere, a parser's attribute say: then there is more than can be read here.
        if not values or not all(isinstance(value, str) for value in values):
            self.found.complete = False
            return
        action, nargs = self._keyword(call, "action"), self._keyword(call, "nargs")
        if values[0][:1] not in self.prefixes:
            if nargs not in ("?", "*"):
                self.found.positional.append(values[0])
            return
        if action in ("help", "version"):
            return
        names: tuple[str, ...] = tuple(values)
        off_names: tuple[str, ...] = ()
        takes = _TAKES.get(action, VALUE) if isinstance(action, str) else VALUE
        if _named(call, "action", "BooleanOptionalAction"):
            takes, off_names = FLAG, tuple(f"--no-{name[2:]}" for name in names if name.startswith("--"))
        elif takes == VALUE and (nargs in ("+", "*") or (isinstance(nargs, int) and nargs > 1)):
            takes = VALUES
        destination, default = self._keyword(call, "dest"), known_default(self._keyword(call, "default"))
        choices = self._keyword(call, "choices")
        self.found.options.append(
            Option(
                names,
                takes,
                off_names,
                destination if isinstance(destination, str) else None,
                default,
                self._keyword(call, "required") is True,
                turns_off=action == "store_false",
                words=_words(call, choices, default),
                choices=tuple(map(str, choices)) if isinstance(choices, tuple | list) else (),
            )
        )

    def _keyword(self, call: ast.Call, name: str) -> Any:
        return next((evaluate(each.value, self.names) for each in call.keywords if each.arg == name), None)


def _words(call: ast.Call, choices: Any, default: Any) -> tuple[str, str]:
    """How true and false are spelled as the value of an option, by its type, its choices and its default."""
    if _named(call, "type", "bool"):
        return "True", ""  # bool("False") is true: of all texts, only the empty one is false
    if _named(call, "type", "int") and not choices:
        return "1", "0"
    of_json = any(_named(call, "type", name) for name in ("loads", "safe_load"))
    known = choices if isinstance(choices, tuple | list) else (default,)
    if of_json or any(word in known for word in ("true", "false")):
        return "true", "false"
    return PYTHON_WORDS


def _parsers(tree: ast.AST) -> tuple[set[str], set[str]]:
    """The names of all parsers and groups of a script, and of those among them that belong to a subcommand."""
    parsers: set[str] = set()
    subparsers: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        function = node.value.func
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if _is_parser_class(function):
            parsers |= names
        elif isinstance(function, ast.Attribute) and function.attr == "add_parser":
            subparsers |= names
        elif isinstance(function, ast.Attribute) and function.attr in _GROUPS:
            (subparsers if _root_name(function.value) in subparsers else parsers).update(names)
    return parsers | subparsers, subparsers


def _is_parser_class(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("ArgumentParser", "ArgParser")


def _is_call_of(node: ast.expr, method: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method


def _root_name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _named(call: ast.Call, keyword: str, name: str) -> bool:
    """Whether a keyword argument is the object `name`, of whatever module."""
    values = [each.value for each in call.keywords if each.arg == keyword]
    return any(getattr(value, "attr", getattr(value, "id", None)) == name for value in values)

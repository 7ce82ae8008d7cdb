"""Reader of the options that a script gives to click, or to typer by the parameters of its functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ddrsa.scripts.interface.source import (
    COUNT,
    FLAG,
    REPEATED,
    VALUE,
    VALUES,
    Findings,
    Option,
    Source,
    known_default,
)

_CLICK = ("click", "rich_click", "asyncclick")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_click(source: Source, found: Findings) -> None:
    """Add to `found` what every `click.option` defines, but for those of subcommands, which need the subcommand."""
    of_subcommands: set[ast.AST] = set()
    for function in _functions(source.tree):
        commands = [each for each in function.decorator_list if _is_command(each)]
        if any(not _is_click(source, each) for each in commands):
            of_subcommands.update(part for decorator in function.decorator_list for part in ast.walk(decorator))
            found.complete = False
        elif commands:
            # What a decorator of another file adds is not known.
            imported = [each for each in function.decorator_list if _origin(source, each)]
            found.complete &= all(_is_click(source, each) for each in imported)
            found.complete &= not any(_attribute(each) == "group" for each in commands)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or node in of_subcommands or not _is_click(source, node):
            continue
        match _attribute(node):
            case "option":
                _add_click_option(source, node, found)
            case "argument" if source.keyword(node, "required") is not False and source.keyword(node, "nargs") != -1:
                found.positional += [name for name in map(source.value, node.args[:1]) if isinstance(name, str)]
            case "command" if isinstance(source.keyword(node, "context_settings"), dict):
                found.complete &= not source.keyword(node, "context_settings").get("ignore_unknown_options")


def read_typer(source: Source, found: Findings) -> None:
    """Add to `found` the parameters of the script's one command; of several, which need their name, none."""
    run = {
        argument.id
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and source.origin(node.func) == "typer.run"
        for argument in node.args
        if isinstance(argument, ast.Name)
    }
    commands = [
        function
        for function in _functions(source.tree)
        if function.name in run or any(_attribute(each) == "command" for each in function.decorator_list)
    ]
    callbacks = any(_attribute(each) == "callback" for each in _decorators(source.tree))
    if len(commands) != 1 or callbacks:
        found.complete = False
        return
    arguments = commands[0].args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    for parameter, default in pairs:
        _add_typer_parameter(source, parameter, default, found)


def _add_click_option(source: Source, call: ast.Call, found: Findings) -> None:
    values = [source.value(argument) for argument in call.args]
    if not all(isinstance(value, str) for value in values):
        found.complete = False
        return
    spelled = [value for value in values if value.startswith("-")]
    destination = next((value for value in values if not value.startswith("-")), None)
    names, off_names = _split(spelled)
    nargs = source.keyword(call, "nargs")
    takes = VALUE
    if source.keyword(call, "count") is True:
        takes = COUNT
    elif off_names or any(source.keyword(call, key) not in (None, False) for key in ("is_flag", "flag_value")):
        takes = FLAG
    elif source.keyword(call, "multiple") is True:
        takes = REPEATED
    elif isinstance(nargs, int) and nargs > 1:
        takes = VALUES
    if names or off_names:
        default = known_default(source.keyword(call, "default"))
        required = source.keyword(call, "required") is True
        found.options.append(Option(names, takes, off_names, destination, default, required))


def _add_typer_parameter(source: Source, parameter: ast.arg, default: ast.expr | None, found: Findings) -> None:
    annotation, marker = parameter.annotation, None
    if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) == "Annotated":
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        annotation = parts[0]
        marker = next((part for part in parts[1:] if isinstance(part, ast.Call)), None)
        named = [] if marker is None else marker.args
    else:
        marker = default if isinstance(default, ast.Call) and _is_marker(source, default) else None
        named = [] if marker is None else marker.args[1:]
        if marker is not None:
            default = marker.args[0] if marker.args else None
    if annotation is not None and _last_name(annotation) == "Context":
        return
    required = default is None or (isinstance(default, ast.Constant) and default.value is Ellipsis)
    kind = None if marker is None else source.origin(marker.func)
    if kind == "typer.Argument" or (kind is None and required):
        if required:
            found.positional.append(parameter.arg)
        return
    if not _is_marker(source, marker):
        found.complete &= marker is None
    values = [source.value(argument) for argument in named]
    spelled = [value for value in values if isinstance(value, str) and value.startswith("-")]
    dashed = parameter.arg.strip("_").replace("_", "-")
    is_flag = annotation is not None and _last_name(annotation) == "bool"
    names, off_names = _split(spelled)
    if not spelled:
        names, off_names = (f"--{dashed}",), ((f"--no-{dashed}",) if is_flag else ())
    takes = FLAG if is_flag else REPEATED if _is_list(annotation) else VALUE
    default_value = known_default(source.value(default)) if default is not None else None
    found.options.append(Option(names, takes, off_names, parameter.arg, default_value, required))


def _split(spelled: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`--shout/--no-shout` names an option and how it is turned off."""
    parts = [spelling.partition("/") for spelling in spelled]
    names = tuple(on.strip() for on, _, _ in parts if on.strip())
    return names, tuple(off.strip() for _, _, off in parts if off.strip())


def _functions(tree: ast.AST) -> Iterator[_Function]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _decorators(tree: ast.AST) -> Iterator[ast.expr]:
    return (decorator for function in _functions(tree) for decorator in function.decorator_list)


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _attribute(node: ast.expr) -> str | None:
    """`option` of click.option(...), and of option(...)."""
    return _last_name(_called(node))


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _origin(source: Source, decorator: ast.expr) -> str:
    return source.origin(_called(decorator))


def _is_click(source: Source, node: ast.expr) -> bool:
    return _origin(source, node).partition(".")[0] in _CLICK


def _is_command(decorator: ast.expr) -> bool:
    return _attribute(decorator) in ("command", "group")


def _is_marker(source: Source, node: Any) -> bool:
    return isinstance(node, ast.Call) and source.origin(node.func) in ("typer.Option", "typer.Argument")


def _is_list(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Subscript):
        if _last_name(annotation.value) in ("Optional", "Union"):
            return any(_is_list(part) for part in ast.walk(annotation.slice) if isinstance(part, ast.Subscript))
        return _last_name(annotation.value) in ("list", "List", "Sequence")
    if isinstance(annotation, ast.BinOp):
        return _is_list(annotation.left) or _is_list(annotation.right)
    return False

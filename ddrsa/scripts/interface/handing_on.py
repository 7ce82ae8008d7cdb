"""Whether a script without a library of its own leaves its command line to code that is not seen."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from ddrsa.scripts.interface.source import Source

# What an imported function is called that reads the command line, or starts the program that does.
_READS = re.compile(
    r"(^|_)(main|cli|app|run|launch|start|entry_?point|train|arg(ument)?s?|arg(ument)?_?parser|parse(r|d)?|opts?"
    r"|options|flags|conf|config|configuration|cfg|hparams|dispatch|automain)(_|$)",
    re.IGNORECASE,
)
# The same of a method, of whatever object: TrainOptions().parse().
_READING_METHODS = ("parse", "parse_args", "parse_known_args")
_RUNS_CODE = ("exec", "eval", "execfile")


def hands_its_arguments_on(source: Source) -> bool:
    """Whether it reads sys.argv, executes code that it reads, or calls what another file may do with the arguments.

    That is an imported function whose name says so, or any that the program begins with and gives nothing; a method
    `parse` of an imported class; and a decorator that calls the function or gives it its arguments.
    """
    functions = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and source.origin(node) in ("sys.argv", "sys.orig_argv"):
            return True
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names) and not _is_stdlib(node):
            return True
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in _RUNS_CODE or source.origin(node.func).partition(".")[0] == "runpy":
                return True
            origin = _foreign(source, node.func)
            if origin and _READS.search(origin.rpartition(".")[2]):
                return True
            if (
                isinstance(node.func, ast.Attribute)
                and _parses(node)
                and _is_of_a_foreign_class(source, node.func.value)
            ):
                return True
        if isinstance(node, ast.FunctionDef) and any(map(_calls_it, node.decorator_list)):
            return True
    calls = [call for call in _first_calls(source.tree) if not call.args and not call.keywords]
    return any(_foreign(source, call.func) or _is_given_more(call.func, functions) for call in calls)


def _parses(call: ast.Call) -> bool:
    """Whether a method is called that reads the command line where it is given nothing else."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in _READING_METHODS and not call.args


def _is_of_a_foreign_class(source: Source, made: ast.expr) -> bool:
    """Whether `Options()` is of a class that is imported, or of one here that has such a base."""
    function = made.func if isinstance(made, ast.Call) else made
    if _foreign(source, function):
        return True
    classes = [node for node in source.tree.body if isinstance(node, ast.ClassDef)]
    named = [each for each in classes if isinstance(function, ast.Name) and each.name == function.id]
    return any(_foreign(source, base) for each in named for base in each.bases)


def _calls_it(decorator: ast.expr) -> bool:
    """Whether a decorator runs the function that it decorates: `@experiment.automain`."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(function, ast.Attribute) and function.attr in ("automain", "main", "command", "default")


def _is_given_more(function: ast.expr, functions: dict[str, ast.FunctionDef]) -> bool:
    """Whether a function that is called with nothing needs arguments: its decorator has them from somewhere."""
    defined = functions.get(function.id) if isinstance(function, ast.Name) else None
    if defined is None or not defined.decorator_list:
        return False
    return len(defined.args.posonlyargs) + len(defined.args.args) > len(defined.args.defaults)


def _first_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls that a program begins with: statements of their own at its end, or below `if __name__ == ...`."""
    for statement in tree.body:
        begins = isinstance(statement, ast.If) and "__name__" in {
            part.id for part in ast.walk(statement.test) if isinstance(part, ast.Name)
        }
        for inner in statement.body if begins and isinstance(statement, ast.If) else [statement]:
            call = inner.value if isinstance(inner, ast.Expr) else None
            while isinstance(call, ast.Call):
                # sys.exit(main()) begins with main.
                yield call
                call = call.args[0] if len(call.args) == 1 else None


def _foreign(source: Source, function: ast.expr) -> str:
    """The dotted name of a function that is imported, from elsewhere than the standard library; else ""."""
    origin = source.origin(function)
    return "" if origin.partition(".")[0] in sys.stdlib_module_names else origin


def _is_stdlib(node: ast.ImportFrom) -> bool:
    return node.level == 0 and (node.module or "").partition(".")[0] in sys.stdlib_module_names

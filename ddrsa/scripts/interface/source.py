"""Sources of scripts, and the findings of their readers."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from ddrsa.scripts.interface.literals import UNKNOWN, constants, evaluate

# How an option takes its value.
VALUE = "value"  # --x 1
VALUES = "values"  # --x 1 2 3
REPEATED = "repeated"  # --x 1 --x 2
LIST = "list"  # --x 1,2,3
FLAG = "flag"  # --x
COUNT = "count"  # -v -v

# The words that Python programs and their libraries understand, whatever they make of a text.
PYTHON_WORDS = ("True", "False")


@dataclass(frozen=True)
class Option:
    """An option of a script.

    names: its spellings, in the order of the source: ("--epochs", "-e").
    off_names: those that turn it off: ("--no-cache",).
    takes: one of VALUE, VALUES, REPEATED, LIST, FLAG, COUNT.
    default: where the source has it as a constant.
    turns_off: a flag that makes its variable false: `--no-cuda` of the variable `cuda`.
    words: how true and false are spelled as its value.
    choices: the texts that it allows, where the source has them as constants; () where it may be any.
    """

    names: tuple[str, ...]
    takes: str = VALUE
    off_names: tuple[str, ...] = ()
    destination: str | None = None
    default: Any = None
    required: bool = False
    turns_off: bool = False
    words: tuple[str, str] = PYTHON_WORDS
    choices: tuple[str, ...] = ()

    @property
    def spelling(self) -> str:
        """The one to use: the first that is long, else the first."""
        names = self.names or self.off_names
        return next((name for name in names if name.startswith("--")), names[0])


class Findings:
    """The findings of the reader of one library in a script."""

    def __init__(self) -> None:
        self.options: list[Option] = []
        self.positional: list[str] = []
        self.complete = True


class Source:
    """A parsed script: where its names come from."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.constants = constants(tree)
        self.modules: dict[str, str] = {}  # name in the script -> the module or "module.name" that it stands for
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self.modules[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.modules[alias.asname or alias.name] = f"{'.' * node.level}{node.module or ''}.{alias.name}"

    def imports(self, *libraries: str) -> bool:
        """Whether one of these libraries is imported anywhere in the script."""
        return any(target.partition(".")[0] in libraries for target in self.modules.values())

    def origin(self, node: ast.expr) -> str:
        """The dotted name that an expression stands for, by the imports; "" where it is none: click.option."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.origin(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def value(self, node: ast.expr | None) -> Any:
        """The constant value of `node`; UNKNOWN where it has none, None where there is no node."""
        return None if node is None else evaluate(node, self.constants)

    def keyword(self, call: ast.Call, name: str) -> Any:
        """The constant value of a keyword argument; None where it is not given."""
        return self.value(next((keyword.value for keyword in call.keywords if keyword.arg == name), None))


def known_default(value: Any) -> Any:
    """For `Option.default`: None where the value is not known."""
    return None if value is UNKNOWN else value

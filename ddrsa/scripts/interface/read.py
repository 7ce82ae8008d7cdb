"""Options on the command line of a script, read from its source. The script is neither imported nor run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ddrsa.scripts.interface.absl_reader import read_absl
from ddrsa.scripts.interface.argparse_reader import read_argparse
from ddrsa.scripts.interface.click_reader import read_click, read_typer
from ddrsa.scripts.interface.handing_on import hands_its_arguments_on
from ddrsa.scripts.interface.libraries import ABSL, library_of
from ddrsa.scripts.interface.notebook_reader import PAPERMILL, read_notebook
from ddrsa.scripts.interface.source import Findings, Option, Source

NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class ScriptInterface:
    """A script's command line, as far as it is known.

    library: argparse, click, typer or papermill; another library's name; None where no library is seen.
    complete: whether `options` are all that it has. Where they are not, it may accept others.
    positional: the arguments without a name that it needs.
    """

    library: str | None
    options: tuple[Option, ...]
    complete: bool
    positional: tuple[str, ...] = ()


UNKNOWN_INTERFACE = ScriptInterface(None, (), complete=False)


def read_interface(path: Path) -> ScriptInterface:
    """The command line of the script at `path`. Raises OSError where it cannot be read.

    A program that is neither Python nor a notebook, or has errors of syntax, may accept anything.
    """
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _read(path: Path, _changed: int) -> ScriptInterface:
    try:
        if path.suffix == ".py":
            return interface_of(path.read_bytes())
        if path.suffix == NOTEBOOK:
            found = Findings()
            read_notebook(path.read_bytes(), found)
            return ScriptInterface(PAPERMILL, _unique(found.options), complete=True)
    except (SyntaxError, ValueError):
        return UNKNOWN_INTERFACE
    return UNKNOWN_INTERFACE


def interface_of(text: str | bytes) -> ScriptInterface:
    """The command line of a script with this source. Raises SyntaxError, and ValueError on null bytes."""
    source = Source(ast.parse(text))
    found = Findings()
    other = library_of(source)
    name: str | None
    if other is not None:
        name, found.complete = other.name, False
        if name == ABSL:
            read_absl(source, found)
        if source.imports("argparse"):
            read_argparse(source, found)  # what it adds to the library's own parser
            found.complete = False
    elif source.imports("typer"):
        name = "typer"
        read_typer(source, found)
    elif source.imports("click", "rich_click", "asyncclick"):
        name = "click"
        read_click(source, found)
    elif source.imports("argparse", "configargparse") or _calls_method(source, "parse_args", "parse_known_args"):
        name = "argparse"
        read_argparse(source, found)
    else:
        name, found.complete = None, not hands_its_arguments_on(source)
    return ScriptInterface(name, _unique(found.options), found.complete, tuple(found.positional))


def _calls_method(source: Source, *names: str) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names
        for node in ast.walk(source.tree)
    )


def _unique(options: Iterable[Option]) -> tuple[Option, ...]:
    """The first of each name: branches of an `if` may define one twice."""
    seen: dict[tuple[str, ...], Option] = {}
    for option in options:
        seen.setdefault((*option.names, *option.off_names), option)
    return tuple(seen.values())

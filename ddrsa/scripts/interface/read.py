"""Options on the command line of a script, read from its source. The script is never imported or run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ddrsa.scripts.interface.argparse_reader import read_argparse
from ddrsa.scripts.interface.click_reader import read_click, read_typer
from ddrsa.scripts.interface.source import Findings, Option, Source

# Their options are not read: what such a script accepts is not known.
OTHER_LIBRARIES = ("absl", "docopt", "fire", "hydra", "jsonargparse", "plac", "simple_parsing", "tap", "tyro")


@dataclass(frozen=True)
class ScriptInterface:
    """A script's command line, as far as it is known.

    library: argparse, click or typer; another library's name; None where no library is seen.
    complete: whether `options` are all that it has. Where they are not, it may accept others.
    positional: the arguments without a name that it needs.
    """

    library: str | None
    options: tuple[Option, ...]
    complete: bool
    positional: tuple[str, ...] = ()


def read_interface(path: Path) -> ScriptInterface:
    """The command line of the script at `path`. Raises OSError where it cannot be read.

    A script that is not Python, or has errors of syntax, may accept anything.
    """
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _read(path: Path, _changed: int) -> ScriptInterface:
    if path.suffix != ".py":
        return ScriptInterface(None, (), complete=False)
    try:
        return interface_of(path.read_bytes())
    except (SyntaxError, ValueError):
        return ScriptInterface(None, (), complete=False)


def interface_of(text: str | bytes) -> ScriptInterface:
    """The command line of a script with this source. Raises SyntaxError, and ValueError on null bytes."""
    source = Source(ast.parse(text))
    found = Findings()
    library = None
    if source.imports("typer"):
        library = "typer"
        read_typer(source, found)
    elif source.imports("click", "rich_click", "asyncclick"):
        library = "click"
        read_click(source, found)
    elif source.imports("argparse", "configargparse") or _calls_method(source, "parse_args", "parse_known_args"):
        library = "argparse"
        read_argparse(source, found)
    else:
        library = next((name for name in OTHER_LIBRARIES if source.imports(name)), None)
        found.complete = library is None and not _hands_its_arguments_on(source)
    return ScriptInterface(library, _unique(found.options), found.complete, tuple(found.positional))


def _calls_method(source: Source, *names: str) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names
        for node in ast.walk(source.tree)
    )


def _hands_its_arguments_on(source: Source) -> bool:
    """Whether a script without a library reads sys.argv, or leaves all to a `main` of another file."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name) and source.origin(node) == "sys.argv":
            return True
        if isinstance(node, ast.Call) and source.origin(node.func).rpartition(".")[2] in ("main", "cli", "app"):
            return True
    return False


def _unique(options: Iterable[Option]) -> tuple[Option, ...]:
    """The first of each name: branches of an `if` may define one twice."""
    seen: dict[tuple[str, ...], Option] = {}
    for option in options:
        seen.setdefault((*option.names, *option.off_names), option)
    return tuple(seen.values())

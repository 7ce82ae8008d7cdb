"""YAML files of a sweep, as Hydra writes them, read as plain values."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import yaml

from ddrsa.rundir.files import read_text

_DEEPEST = 100
_MOST_NODES = 1_000_000


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """As PyYAML's safe one; a path, which Hydra writes for one of a schema as a call of Python's, is its text."""


def _path_text(loader: Any, _: str, node: yaml.Node) -> str:
    return str(PurePath(*map(str, loader.construct_sequence(node))))


_Loader.add_multi_constructor("tag:yaml.org,2002:python/object/apply:pathlib.", _path_text)


def read_yaml(path: Path | str) -> Any:
    """The plain content of a YAML file of a sweep: interpolations stand as written, and no tag makes an object.

    Raises OSError where the file cannot be read, FileNotFoundError where there is none, and ValueError, which names
    it, where it is no YAML or refers to parts of itself: those can be made to fill the memory.
    """
    text = read_text(path)
    try:
        check_yaml(text, path)
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from error


def check_yaml(text: str, path: Path | str) -> None:
    """Raise ValueError where a YAML text could fill the memory or the stack of who reads it; yaml's where it is none.

    path: for the message.
    """
    # Most files can be seen to be harmless without being parsed: each level is one of these, or more indentation.
    left = _DEEPEST - sum(map(text.count, ("[", "{", "- ", "? ")))
    if "*" not in text and left > 0 and " " * left not in text:
        return
    sizes: dict[str, int] = {}  # of what is referred to, each reference counted as what it stands for
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, _Loader):
        size = 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            size = 0
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes |= {} if anchor is None else {anchor: size}
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(str(event.anchor), _MOST_NODES)  # of none but itself: without an end
        elif isinstance(event, yaml.ScalarEvent) and event.anchor is not None:
            sizes[event.anchor] = 1
        anchor, before = open_nodes[-1]
        open_nodes[-1] = anchor, before + size
        if len(open_nodes) > _DEEPEST or before + size > _MOST_NODES:
            raise ValueError(f"{path} is no file of a sweep: it is nested too deeply, or refers to itself too often")

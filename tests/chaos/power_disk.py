"""A disk by POSIX: what it may hold after a power cut, when only what was synced is certain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from power_trace import Operation


@dataclass
class _Node:
    """A file, or a directory, where `entries` is no None.

    synced: the content that is certain. entries: of each name, what it may stand for: first what is certain, last what
    it stands for while there is power.
    """

    content: bytes = b""
    synced: bytes = b""
    is_synced: bool = True
    entries: dict[str, list[_Node | None]] | None = None


class Disk:
    """The files below a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = _Node(entries={})

    def do(self, operation: Operation) -> None:
        """Do what a process did."""
        if operation.what == "unknown":
            raise NotImplementedError(operation.path)
        path = Path(operation.path)
        if operation.what == "sync" and path == self.root:
            self._sync(self._root)
            return
        if path == self.root:
            return
        parent = self._find(path.parent)
        if parent is None or parent.entries is None:
            return  # deleted meanwhile
        node = self._entry(parent, path.name)
        match operation.what:
            case "create" | "clear":
                if node is None:
                    parent.entries.setdefault(path.name, [None]).append(_Node(is_synced=False))
                elif operation.what == "clear":
                    node.content, node.is_synced = b"", False
            case "write" if node is not None:
                node.content, node.is_synced = node.content + operation.other, False
            case "truncate" if node is not None:
                node.content, node.is_synced = node.content[: int(operation.other)], False
            case "sync" if node is not None:
                self._sync(node)
            case "mkdir":
                parent.entries.setdefault(path.name, [None]).append(_Node(entries={}))
            case "unlink":
                parent.entries.setdefault(path.name, [None]).append(None)
            case "rename":
                other = Path(operation.other.decode())
                target = self._find(other.parent)
                if target is not None and target.entries is not None:
                    target.entries.setdefault(other.name, [None]).append(node)
                parent.entries.setdefault(path.name, [None]).append(None)

    def write_now(self, directory: Path) -> None:
        """Write what is there while there is power."""
        _write(self._root, directory, None)

    def write_after_cut(self, directory: Path, random: Random) -> None:
        """Write what may be there after a power cut now."""
        _write(self._root, directory, random)

    def _sync(self, node: _Node) -> None:
        node.synced, node.is_synced = node.content, True
        if node.entries is not None:
            for name, values in node.entries.items():
                node.entries[name] = values[-1:]

    def _find(self, path: Path) -> _Node | None:
        node: _Node | None = self._root
        for part in path.relative_to(self.root).parts:
            if node is None or node.entries is None:
                return None
            node = self._entry(node, part)
        return node

    def _entry(self, parent: _Node, name: str) -> _Node | None:
        assert parent.entries is not None
        return parent.entries.get(name, [None])[-1]


def _write(node: _Node, path: Path, random: Random | None) -> None:
    if node.entries is None:
        path.write_bytes(node.content if random is None else _torn(node, random))
        return
    path.mkdir(parents=True, exist_ok=True)
    for name, values in node.entries.items():
        # Each name by itself: the two of a rename may be on disk in any order.
        chosen = values[-1] if random is None else random.choice(values)
        if chosen is not None:
            _write(chosen, path / name, random)


def _torn(node: _Node, random: Random) -> bytes:
    """The content of a file after a cut: what was not synced may be missing, in part, or be zeros."""
    if node.is_synced:
        return node.content
    kept = len(node.synced) if node.content.startswith(node.synced) else 0
    cut = random.randint(kept, len(node.content))
    return random.choice(
        [node.content, node.synced, node.content[:cut], node.content[:cut] + bytes(len(node.content) - cut)]
    )

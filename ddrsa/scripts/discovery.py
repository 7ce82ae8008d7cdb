"""Discovery of the training scripts beneath a folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ddrsa.errors import ConfigError

# Folders that hold no training scripts of the user's own. Hidden ones and virtual environments are skipped as well.
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "test", "tests", "venv"})
TEST_FILES = ("test_*.py", "*_test.py", "conftest.py")
# Each kind of environment has one of these.
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
# The file of a sweep, whose runs may hold copies of their scripts, and the folder of a single run.
SWEEP_MARK, RUN_MARK = "multirun.yaml", ".hydra"


def find_scripts(
    roots: Sequence[str], include: Sequence[str], exclude: Sequence[str], results: Path | None = None
) -> list[Path]:
    """The scripts beneath `roots`, as paths that begin as the roots do, each file once, in the order of their paths.

    include, exclude: shell patterns of file names, or, with a slash in them, of paths beneath the root; exclude also of
        the folders on the way.
    results: a folder that is left out, since it has what scripts have written.

    Raises ConfigError where a root is no directory, or has no such script.
    """
    found: dict[Path, Path] = {}
    for root in roots:
        if not Path(root).is_dir():
            raise ConfigError(f"scripts.root={root}: there is no such directory")
        scripts = [path for path in _files(Path(root), results) if _is_wanted(path.relative_to(root), include, exclude)]
        if not scripts:
            but = f" but for those that match {' or '.join(exclude)}" if exclude else ""
            raise ConfigError(f"scripts.root={root}: no script in it matches {' or '.join(include)}{but}")
        for path in scripts:
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def job_ids(paths: Iterable[Path]) -> dict[Path, str]:
    """A name for each script: `als` for train_als.py.

    Where several would have one name, all of them have their folder in front, and as many folders above it as it takes
    to tell them apart: the name of a script does not depend on the order. A character that cannot stand in the name of
    a folder or on Hydra's command line is a dash; where that makes two the same, a hash of their name is behind it.
    """
    wanted = {path: _short_id(path) for path in paths}
    for path in _doubles({path: f"{path.parent}/{name}" for path, name in wanted.items()}):
        wanted[path] += "-" + hashlib.sha256(os.fsencode(path.name)).hexdigest()[:6]
    short = dict(wanted)
    folders = 0
    while doubles := _doubles(wanted):
        folders += 1
        for path in doubles:
            parents = path.absolute().parts[-1 - folders : -1]
            wanted[path] = safe_id("-".join([*parents, short[path]]).lstrip("/"))
            if folders >= len(path.absolute().parts):
                wanted[path] += "-" + hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:6]
    return wanted


def safe_id(name: str) -> str:
    """`name` with a dash for each run of characters other than letters, digits and . _ -"""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def _short_id(path: Path) -> str:
    stem = path.stem
    for prefix in ("train_", "train-"):
        stem = stem.removeprefix(prefix)
    for suffix in ("_train", "_training", "-train"):
        stem = stem.removesuffix(suffix)
    return safe_id(stem) or safe_id(path.stem) or "script"


def _doubles(ids: dict[Path, str]) -> list[Path]:
    owners = defaultdict(list)
    for path, name in ids.items():
        owners[name].append(path)
    return [path for paths in owners.values() if len(paths) > 1 for path in paths]


def _files(root: Path, results: Path | None) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_skipped(Path(folder) / name, results))
        yield from (Path(folder) / name for name in sorted(names))


def _is_skipped(folder: Path, results: Path | None) -> bool:
    if folder.name.startswith(".") or folder.name in SKIPPED_FOLDERS:
        return True
    if results is not None and folder.resolve() == results.resolve():
        return True
    # os.path: what may not be read has none of them.
    return any(os.path.exists(folder / mark) for mark in (*ENVIRONMENT_MARKS, SWEEP_MARK, RUN_MARK))  # noqa: PTH110


def _is_wanted(path: Path, include: Sequence[str], exclude: Sequence[str]) -> bool:
    if path.name.startswith(".") or _matches(path, TEST_FILES) or not _matches(path, include):
        return False
    return not _matches(path, exclude) and not any(_matches(folder, exclude) for folder in list(path.parents)[:-1])


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path.as_posix() if "/" in each else path.name, each.removeprefix("./")) for each in patterns)

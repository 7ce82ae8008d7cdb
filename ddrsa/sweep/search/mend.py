"""Mending of a study's journal: lines that nobody can read are left out, and said."""

from __future__ import annotations

import json
from pathlib import Path

from ddrsa.errors import UsageError
from ddrsa.rundir.files import atomic_write, read_bytes
from ddrsa.rundir.locked_files import read_held
from ddrsa.rundir.sweep_files import OWNERS
from ddrsa.sweep.search.compat_optuna import Replay
from ddrsa.sweep.search.journal_lock import JournalLock
from ddrsa.sweep.search.study import JOURNAL
from ddrsa.texts import count_of, printable

_SHOWN = 80


def mend(path: Path | str) -> int:
    """Leave out of a journal what Optuna cannot read, and print it. The journal as it was stays beside it.

    path: of the journal, or of the directory of a search. Returns the exit code 0. Raises UsageError where there is no
    journal, or a search is under way.
    """
    file = Path(path)
    file = file / JOURNAL if file.is_dir() else file
    _require_rest(file.parent)
    lock = JournalLock(file)
    try:
        content = read_bytes(file)
        lock.acquire()
    except OSError as error:
        raise UsageError(f"{file} cannot be mended: {error}") from error
    try:
        lines = content.splitlines(keepends=True)
        kept, left_out = _sorted(lines)
        for number, reason in left_out:
            shown = lines[number - 1].decode(errors="replace").strip()[:_SHOWN]
            print(printable(f"line {number} is left out ({reason}): {shown}"))
        if not left_out:
            print(f"{file}: {count_of(len(lines), 'line')} can be read, nothing is changed")
            return 0
        backup = _free(file)
        with atomic_write(backup, "wb") as stream:
            stream.write(content)
        with atomic_write(file, "wb") as stream:
            stream.writelines(kept)
    finally:
        lock.release()
    print(f"{file}: kept: {len(kept)} of {count_of(len(lines), 'line')}; as it was, it is {backup.name}")
    return 0


def _sorted(lines: list[bytes]) -> tuple[list[bytes], list[tuple[int, str]]]:
    """The lines that can be read one after the other, and the numbers of the others with the reason."""
    kept: list[bytes] = []
    left_out: list[tuple[int, str]] = []
    replay = Replay()
    for number, line in enumerate(lines, start=1):
        try:
            # Half a line at the end is no JSON.
            replay.apply(json.loads(line if line.endswith(b"\n") else b""))
        except Exception as error:  # what is damaged makes Optuna raise whatever it likes
            left_out.append((number, f"{type(error).__name__}: {error}".partition("\n")[0]))
            # It may have been taken in by half.
            replay = Replay()
            for good in kept:
                replay.apply(json.loads(good))
        else:
            kept.append(line)
    return kept, left_out


def _require_rest(sweep_dir: Path) -> None:
    for owner in (sweep_dir / OWNERS).glob("*"):
        if _is_held(owner):
            raise UsageError(
                f"{sweep_dir}: a search is under way ({owner.name}), its journal is mended when it has ended"
            )


def _is_held(owner: Path) -> bool:
    try:
        return read_held(owner) is not None
    except OSError:  # damaged by whoever does not hold it
        return False


def _free(file: Path) -> Path:
    number = 1
    while (backup := file.with_name(f"{file.name}.damaged-{number}")).exists():
        number += 1
    return backup

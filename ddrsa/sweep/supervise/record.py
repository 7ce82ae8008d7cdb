"""What a sweep leaves in its directory beside the runs: experiment_manifest.json, all_results.json, sweep.log."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import fingerprint, now, open_no_links, write_json
from ddrsa.rundir.manifest import read_manifest, read_results
from ddrsa.rundir.process_identity import this_process
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import LOG, MANIFEST, RESULTS
from ddrsa.started import command_line
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.supervise.events import Outcome, SweepObserver

log = logging.getLogger(__name__)

Reader = Callable[[Path], dict[str, Any] | None]

LOGGERS = ("ddrsa.sweep", "ddrsa.follow", "ddrsa.tracking", "ddrsa.notify")

PACKAGES = ("ddrsa", "hydra-core", "omegaconf", "joblib", "optuna")


# Beside the two files: several launchers may write them in turn.
LOCK = ".record.lock"
# One that has been stopped (SIGSTOP) while it wrote shall not stop the others.
LOCK_SECONDS = 10.0


class SweepRecord(SweepObserver):
    """The two JSON files of the sweep in `directory`. A result that cannot be written now is written later.

    Other launchers may write them too: each takes over what the others have written, and adds its own.
    """

    def __init__(self, directory: Path, presentation: Presentation | None = None, packages: Sequence[str] = ()) -> None:
        """packages: whose versions the manifest has, besides `PACKAGES`."""
        self.directory = directory
        self.presentation = presentation or Presentation()
        self.packages = packages
        self.search: dict[str, Any] | None = None  # what the manifest says of the search that plans the runs
        self._runs: dict[Path, PlannedRun] = {}
        self._results: dict[Path, dict[str, Any]] = {}
        self._changed = False
        self._next_write = 0.0
        self._last_error = ""
        self._since = now()
        self._seen: tuple[int, int, int] | None = None  # the results file as it was when its entries were taken over
        self._lock = FileLock(directory / LOCK, mode=0o666)

    @cached_property
    def _code(self) -> dict[str, Any]:
        """The code that was started, as it was then; a search writes the manifest again for each run."""
        return {"git": _git_state(), "versions": _versions([*PACKAGES, *self.packages])}

    def plan(self, runs: Sequence[PlannedRun]) -> None:
        """Add `runs` to the plan and write it. Raises OSError: what is not recorded shall not start."""
        self._runs.update((run.directory, run) for run in runs)
        for run in runs:
            self._results.setdefault(run.directory, {**self._described(run), "state": State.PENDING})
        with self._alone():
            self._write_manifest()
        self._changed = True
        self.write(now_or_never=True)

    def moved(self, run: PlannedRun) -> None:
        """The run was planned in another directory."""
        for directory in [key for key, planned in self._runs.items() if planned.number == run.number]:
            del self._runs[directory]
            self._results.pop(directory, None)
        self._seen = None
        self.plan([run])

    def _write_manifest(self) -> None:
        write_json(
            self.directory / MANIFEST,
            {
                "created_at": now(),
                "command": command_line(),
                "working_dir": str(Path.cwd()),
                **this_process(),
                **self._code,
                **self.presentation.as_entry(),
                **({} if self.search is None else {"search": self.search}),
                "runs": [{**self._described(run), "config": run.config} for run in self._runs.values()],
                "earlier_runs": self._others(read_manifest, "runs", "earlier_runs"),
            },
        )

    def result(self, run: PlannedRun, outcome: Outcome) -> None:
        """Take note of how a run ended; `write` puts it on disk."""
        directory = RunDirectory(run.directory)
        try:
            status = directory.read_status() or {}
            metrics = directory.read_test_metrics()
        except (OSError, ValueError) as error:
            log.warning("%s", error)
            status, metrics = {}, None
        if status.get("run_id", run.identity) != run.identity:
            status, metrics = {}, None  # of another run, which was there first
        self._results[run.directory] = {
            **self._described(run),
            "state": outcome.state,
            "error": outcome.reason,
            "return_value": status.get("return_value"),
            **{key: status.get(key) for key in ("attempt", "started_at", "ended_at")},
            "metrics": metrics,
        }
        self._changed = True

    def write(self, *, now_or_never: bool = False) -> None:
        """Renew all_results.json, at most once a second, unless `now_or_never`.

        An error is logged, and the next call tries again.
        """
        start = time.monotonic()
        if not self._changed or (start < self._next_write and not now_or_never):
            return
        try:
            with self._alone():
                self._take_over_others()
                results = list(self._results.values())
                counts = Counter(result["state"] for result in results)
                write_json(self.directory / RESULTS, {"updated_at": now(), "counts": dict(counts), "runs": results})
                self._seen = self._fingerprint()
            self._changed, self._last_error = False, ""
        except OSError as error:
            if str(error) != self._last_error:
                log.error("%s cannot be written, it will be tried again: %s", self.directory / RESULTS, error)  # noqa: TRY400
            self._last_error = str(error)
        # A file of thousands of runs takes a while: it shall not take more than a twentieth of the time.
        self._next_write = time.monotonic() + max(1.0, 20 * (time.monotonic() - start))

    def _described(self, run: PlannedRun) -> dict[str, Any]:
        return {
            "number": run.number,
            "directory": os.path.relpath(run.directory, self.directory),
            "identity": run.identity,
            "overrides": list(run.overrides),
            "values": run.values,
            "optional": run.optional,
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """In this block no other launcher writes the files, as far as locks work here."""
        try:
            self._lock.acquire(timeout=LOCK_SECONDS)
        except (Timeout, NotImplementedError, OSError) as error:
            log.debug("%s is not locked: %s", self._lock.lock_file, error)
        try:
            yield
        finally:
            self._lock.release()

    def _take_over_others(self) -> None:
        """Another launcher may work in this directory, or have done so before: what it has written stays."""
        if self._seen is not None and self._seen == self._fingerprint():
            return
        for entry in self._others(read_results, "runs"):
            self._results[self.directory / entry["directory"]] = entry
        for entry in self._entries(read_results, "runs"):
            ours = self._results.get(self.directory / entry["directory"])
            if ours is not None and ours["state"] == State.PENDING and (entry.get("ended_at") or "") >= self._since:
                ours.update({**entry, "number": ours["number"]})

    def _fingerprint(self) -> tuple[int, int, int] | None:
        try:
            return fingerprint(self.directory / RESULTS)
        except OSError:
            return None

    def _others(self, read: Reader, *keys: str) -> list[dict[str, Any]]:
        """The entries of a file, as it is on disk, of runs that are not in this plan, wherever they lie."""
        identities = {run.identity for run in self._runs.values()}
        return [
            entry
            for entry in self._entries(read, *keys)
            if self.directory / entry["directory"] not in self._runs and entry.get("identity") not in identities
        ]

    def _entries(self, read: Reader, *keys: str) -> list[dict[str, Any]]:
        try:
            content = read(self.directory) or {}
        except ValueError as error:
            log.warning("%s; it is written anew", error)
            return []
        return list({entry["directory"]: entry for key in keys for entry in content.get(key, [])}.values())


@contextmanager
def sweep_log(directory: Path) -> Iterator[None]:
    """In this block what `ddrsa.sweep` logs, and what accompanies a sweep, goes to sweep.log too."""
    handler = _SweepLog(directory / LOG)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger, level in zip(loggers, levels, strict=True):
        logger.addHandler(handler)
        logger.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
            logger.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


class _SweepLog(logging.FileHandler):
    """What cannot be written, on a full disk say, stays in its buffer and is written with a later line."""

    def _open(self) -> Any:
        return open_no_links(self.baseFilename, self.mode)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Print no traceback where the disk is to blame."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _git_state() -> dict[str, Any] | None:
    """Of the code that was started; None where it is not under version control."""
    main_file = getattr(sys.modules["__main__"], "__file__", None)
    code = Path(main_file).resolve().parent if main_file else Path.cwd()
    try:
        commit = _git(code, "rev-parse", "HEAD")
        changed = _git(code, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changed)}


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions

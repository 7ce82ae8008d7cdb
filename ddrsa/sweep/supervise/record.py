"""What a sweep leaves in its directory beside the runs: experiment_manifest.json, all_results.json, sweep.log."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import fingerprint, json_text, now, open_no_links, write_json_lists
from ddrsa.rundir.manifest import read_manifest, read_results
from ddrsa.rundir.process_identity import this_process
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import HEARTBEAT, LOG, MANIFEST, RECORD_LOCK, RESULTS
from ddrsa.started import command_line
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.supervise.entries import Entries
from ddrsa.sweep.supervise.events import RECORDED, Outcome, Settled, SweepObserver
from ddrsa.sweep.supervise.planned_texts import PlannedTexts

log = logging.getLogger(__name__)

Reader = Callable[[Path], dict[str, Any] | None]

LOGGERS = ("ddrsa.sweep", "ddrsa.follow", "ddrsa.tracking", "ddrsa.notify")

PACKAGES = ("ddrsa", "hydra-core", "omegaconf", "joblib", "optuna")


HEARTBEAT_SECONDS = 10.0
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
        self._planned = PlannedTexts(directory)
        self._results = Entries()
        self._before = Entries()  # of earlier commands in this directory, until the runs are found to be done
        self._changed = False
        self._next_write = 0.0
        self._next_beat = 0.0
        self._last_error = ""
        self._since = now()
        self._seen: tuple[int, int, int] | None = None  # the results file as it was when its entries were taken over
        self._unknown = False  # whether the manifest has runs that have no entry among the results
        self._lock = FileLock(directory / RECORD_LOCK, mode=0o666)

    @cached_property
    def _code(self) -> dict[str, Any]:
        """The code that was started, as it was then; a search writes the manifest again for each run."""
        return {"git": _git_state(), "versions": _versions([*PACKAGES, *self.packages])}

    @cached_property
    def _whole(self) -> frozenset[str]:
        """The keys of metrics that are kept whole."""
        shown = self.presentation
        deep = [key for key in shown.rank_by if key.count(".") > 1]
        return frozenset(key.partition(".")[0] for key in [*deep, *filter(None, [shown.comparable_by])])

    def plan(self, runs: Sequence[PlannedRun]) -> None:
        """Add `runs` to the plan and write it. Raises OSError: what is not recorded shall not start."""
        self._runs.update((run.directory, run) for run in runs)
        for run in runs:
            self._planned.forget(run.directory)
        if self._seen is None:
            self._take_over_others()
        for run in runs:
            if run.directory not in self._results:
                self._results[run.directory] = {**self._described(run), "state": State.PENDING}
        with self._alone():
            self._write_manifest()
        self._beat()
        self._changed = True
        if self._seen is not None and not self._next_write:
            self._next_write = time.monotonic() + 1  # most runs may be done already, which is known by then
        self.write(now_or_never=self._seen is None)

    def moved(self, run: PlannedRun) -> None:
        """The run was planned in another directory."""
        for directory in [key for key, planned in self._runs.items() if planned.number == run.number]:
            del self._runs[directory]
            self._planned.forget(directory)
            self._results.remove(directory)
        self._seen = None
        self.plan([run])

    def _write_manifest(self) -> None:
        if self._planned.is_as_written():
            self._planned.drop_planned(self._runs, {run.identity for run in self._runs.values()})
        else:
            self._planned.set_others(self._others(read_manifest, "runs", "earlier_runs"))
        self._unknown = any(directory not in self._results for directory in self._planned.directories_of_others)
        planned = (self._planned.text(run, self._described(run)) for run in self._runs.values())
        write_json_lists(
            self.directory / MANIFEST,
            {
                "created_at": self._since,  # a search and a race write this file again for each run
                "command": command_line(),
                "working_dir": str(Path.cwd()),
                **this_process(),
                **self._code,
                **self.presentation.as_entry(),
                **({} if self.search is None else {"search": self.search}),
            },
            {"runs": planned, "earlier_runs": self._planned.texts_of_others()},
        )
        self._planned.written()

    def result(self, run: PlannedRun, outcome: Outcome) -> None:
        """Take note of how a run ended; `write` puts it on disk."""
        entry = {**self._described(run), "state": outcome.state, "error": outcome.reason}
        self._changed = True
        if outcome.settled is not None and self._has_entry(run, {**entry, **outcome.settled.status}, outcome.settled):
            self._results.move_from(self._before, run.directory)
            return
        self._before.remove(run.directory)
        directory = RunDirectory(run.directory)
        try:
            status = directory.read_status() or {}
            metrics = directory.read_test_metrics()
        except (OSError, ValueError) as error:
            log.warning("%s", error)
            status, metrics = {}, None
        if status.get("run_id", run.identity) != run.identity:
            status, metrics = {}, None  # of another run, which was there first
        known = {key: status.get(key) for key in RECORDED}
        self._results[run.directory] = {**entry, **known, "metrics": self._single_values(metrics)}

    def _has_entry(self, run: PlannedRun, entry: dict[str, Any], settled: Settled) -> bool:
        """Whether the entry from before is that of a settled run: to read the metrics of thousands takes a while."""
        if run.directory not in self._before or not settled.has_first_result:
            return False
        before = self._before[run.directory]
        # As JSON has them: the values of the one come from Python, those of the other from a file.
        return json_text({key: before.get(key) for key in entry}) == json_text(entry) and "metrics" in before

    def _single_values(self, metrics: dict[str, Any] | None) -> dict[str, Any] | None:
        """The metrics that are one value, of the run and one mapping deeper, and what the runs are compared by.

        Curves, and tables by unit, stand in the run's test_metrics.json: those of thousands of runs would fill memory.
        """
        if metrics is None:
            return None
        kept = {key: value if key in self._whole else _shallow(value, 1) for key, value in metrics.items()}
        return {key: value for key, value in kept.items() if value is not None or metrics[key] is None}

    def metrics_of(self, directory: Path) -> Mapping[str, Any]:
        """The metrics in the entry of a run; empty where it has none."""
        return (self._results[directory].get("metrics") or {}) if directory in self._results else {}

    @property
    def has_all_results(self) -> bool:
        """Whether no run of the sweep, as far as is known, lacks its result in all_results.json."""
        return not self._changed and not self._unknown and self._results.all_done

    def tick(self) -> None:
        """What came too soon after the last writing is written now; others see that the launcher lives."""
        self.write()
        self._beat()

    def _beat(self) -> None:
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + HEARTBEAT_SECONDS
        try:
            with open_no_links(self.directory / HEARTBEAT, "a") as stream:
                os.utime(stream.fileno())
        except OSError as error:
            log.debug("%s cannot be touched: %s", self.directory / HEARTBEAT, error)

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
                whole = {"updated_at": now(), "counts": self._results.counts()}
                write_json_lists(self.directory / RESULTS, whole, {"runs": self._results.texts()})
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
        fingerprint = self._fingerprint()
        if self._seen == fingerprint:
            return
        self._seen = fingerprint
        identities = {run.identity for run in self._runs.values()}
        for entry in self._entries(read_results, "runs"):
            directory = self.directory / entry["directory"]
            planned = self._runs.get(directory)
            if planned is None:
                if entry.get("identity") not in identities:
                    self._results[directory] = self._without_curves(entry)
                continue
            is_pending = self._results.state(directory) == State.PENDING
            if is_pending and (entry.get("ended_at") or "") >= self._since:
                ours = self._results[directory]
                self._results[directory] = {**ours, **self._without_curves(entry), "number": ours["number"]}
            elif directory not in self._results and self._is_done(planned, entry):
                self._before[directory] = self._without_curves(entry)

    @staticmethod
    def _is_done(run: PlannedRun, entry: dict[str, Any]) -> bool:
        return entry.get("identity") == run.identity and State.of(entry).is_done

    def _without_curves(self, entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "metrics": self._single_values(entry["metrics"])} if "metrics" in entry else entry

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


def _shallow(value: Any, depth: int) -> Any:
    """A single value, or the single values in mappings that are `depth` deep at most; None for what is neither."""
    if not isinstance(value, Mapping):
        return None if isinstance(value, list | tuple) else value
    inner = {key: _shallow(each, depth - 1) for key, each in value.items()} if depth else {}
    return {key: each for key, each in inner.items() if each is not None or value[key] is None} or None


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

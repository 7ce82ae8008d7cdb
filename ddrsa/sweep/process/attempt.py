"""One attempt at a run, as its own process does it."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.utils import JobStatus, run_job
from omegaconf import DictConfig, read_write
from tblib import pickling_support

from ddrsa.compat_hydra import returned
from ddrsa.errors import RunEnded
from ddrsa.rundir.claims import Claim, end_process
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import follow_modes, note_placed, now, open_no_links
from ddrsa.rundir.reasons import OUT_OF_GPU_MEMORY, OUT_OF_HOST_MEMORY, reason_of_exception
from ddrsa.rundir.returned import kept_value
from ddrsa.rundir.room import says_full
from ddrsa.rundir.states import State
from ddrsa.sweep.config import trial_of
from ddrsa.sweep.early_end import was_told
from ddrsa.sweep.gpu.lease import last_lease, when_leased
from ddrsa.sweep.process.context import Context

# What the process prints beside its log.
OUTPUT_LOG = "output.log"

SECONDS_UNTIL_TOLD = 60.0  # that a run is done, but not its process


@dataclass(frozen=True)
class AttemptSpec:
    """Specification of one attempt.

    composed: of the `PlannedRun`. environ: added to the environment. notes: added to status.json.
    """

    directory: Path
    identity: str
    composed: bytes
    attempt: int
    attempts: int
    working_dir: str
    environ: dict[str, str]
    notes: dict[str, Any] = field(default_factory=lambda: {"launcher": "supervised"})


@dataclass(frozen=True)
class Report:
    """What an attempt tells its launcher: see `ddrsa.sweep.supervise.events.Outcome`.

    shared_gpu: it leased a GPU that other runs may have had at the same time.
    elsewhere: nothing was done, another process has the run.
    disk_full: what it failed of is a full disk.
    unwritten: what could not be written: fields for status.json, and a text for the log.
    """

    state: State
    reason: str | None = None
    value: Any = None
    error: Exception | None = None
    shared_gpu: bool = False
    elsewhere: bool = False
    disk_full: bool = False
    unwritten: tuple[dict[str, Any], str] | None = None


class Attempt:
    """An attempt in its forked process. The descriptors: the file with the job, then of the claim on the run."""

    def __init__(self, job_descriptor: int, lock_descriptor: int) -> None:
        self.file = os.fdopen(job_descriptor, "r+b")
        self.lock_descriptor = lock_descriptor

    def perform(self, context: Context) -> int:
        """Do the run, record its end in its directory, report. Returns the exit code."""
        self.file.seek(0)
        spec: AttemptSpec = cloudpickle.load(self.file)
        # Held until the process ends: a launcher may die before its attempts, and the run is still worked on.
        claim = Claim.adopt(spec.directory, self.lock_descriptor, end_process)
        os.environ.update(spec.environ)
        os.chdir(spec.working_dir)
        _offer_to_the_memory_killer()
        try:
            report = _do(spec, context)
        except BaseException as error:  # a full disk, say: the launcher writes the reason when there is room
            reason, text = reason_of_exception(error), "".join(traceback.format_exception(error))
            report = Report(State.FAILED, reason, error=_portable(error), disk_full=says_full(error))
            report = replace(report, unwritten=({}, f"the attempt ended\n{text.rstrip()}"))
        self.report(report)
        tell_what_it_waits_for(spec.directory, SECONDS_UNTIL_TOLD)
        assert claim.held
        return 0 if report.state.is_done else 1

    def report(self, report: Report) -> None:
        try:
            content = cloudpickle.dumps(report)
        except Exception:  # a model, say, that holds a lock: the launcher gets what status.json keeps
            content = cloudpickle.dumps(replace(report, value=kept_value(report.value)[0]))
        self.file.seek(0)
        self.file.truncate()
        self.file.write(content)
        self.file.flush()


def _do(spec: AttemptSpec, context: Context) -> Report:
    run = RunDirectory(spec.directory)
    follow_modes(run.path)
    _redirect_output(run.path / OUTPUT_LOG)
    with open_no_links(run.log, "a") as log:
        faulthandler.enable(log)
        # Where a run that took too long has hung, its log tells.
        faulthandler.register(signal.SIGTERM, log, chain=True)
        config: DictConfig = cloudpickle.loads(spec.composed)
        run.begin(spec.identity, **spec.notes, **_trial_of(config))
        attempt = (run.read_status() or {})["attempt"]
        say_in_log(run.log, "INFO", f"attempt {attempt} starts ({spec.attempt} of {spec.attempts} by this launcher)")
        # Where it is killed, its launcher knows by this on which GPU, and tries it on another.
        when_leased(lambda lease: run.update(gpu_index=lease.index, gpu_indices=list(lease.indices)))
        value, error = _run_job(spec, config, context)
        faulthandler.unregister(signal.SIGTERM)
        faulthandler.disable()
    return _settle(run, value, error)


def _trial_of(config: DictConfig) -> dict[str, int]:
    """For status.json: the number of the trial of a search that the job is."""
    trial = trial_of(config.hydra)
    return {} if trial is None else {"trial": trial}


def _run_job(spec: AttemptSpec, config: DictConfig, context: Context) -> tuple[Any, BaseException | None]:
    """What the task returned, or what it raised."""
    sweep_dir = Path(str(config.hydra.sweep.dir)).absolute()
    note_placed(sweep_dir)  # by the launcher, with its manifest
    with read_write(config.hydra.sweep):
        # The plan may have found the run elsewhere than the config says.
        config.hydra.sweep.subdir = os.path.relpath(spec.directory, sweep_dir)
    try:
        result = run_job(
            hydra_context=context.hydra_context,
            task_function=context.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
    except SystemExit as error:
        return None, None if error.code in (None, 0) else error
    except KeyboardInterrupt as error:
        return None, error
    return (None, returned(result)) if result.status == JobStatus.FAILED else (returned(result), None)


def _settle(run: RunDirectory, value: Any, error: BaseException | None) -> Report:
    """Write the final state, unless the task wrote it itself, and the traceback.

    What cannot be written is in the report.
    """
    written = run.read_status() or {}
    by_task = State.of(written) is not State.RUNNING
    if error is None and not by_task and (told := was_told(run.path)) is not None:
        done, count = written.get("epoch"), written.get("num_epochs")
        after = f", after epoch {done} of {count}" if done and count else ""
        reason = f"ended early{after}: {told}"
        return _write_end(run, Report(State.INTERRUPTED, reason), _ended(State.INTERRUPTED, reason), "")
    if error is None:
        state = State.of(written) if by_task else State.COMPLETED
        last = {"state": state, "ended_at": written.get("ended_at") or now(), **_stored_value(run, value)}
        report = Report(state, written.get("error"), value)
        return report if last.items() <= written.items() else _write_end(run, report, last, "")
    state = _state_after(error)
    if state is State.PRUNED:
        return _write_end(run, Report(state), _ended(state, None), "")
    reason = reason_of_exception(error)
    text = "" if by_task else "the run ends here\n" + "".join(traceback.format_exception(error)).rstrip()
    renew = not by_task or state is not State.FAILED or reason.startswith((OUT_OF_GPU_MEMORY, OUT_OF_HOST_MEMORY))
    lease = last_lease()
    shared = lease is not None and lease.shared
    report = Report(state, reason, error=_portable(error), shared_gpu=shared, disk_full=says_full(error))
    return _write_end(run, report, _ended(state, reason) if renew else {}, text)


def _ended(state: State, reason: str | None) -> dict[str, Any]:
    return {"ended_at": now(), "state": state, "error": reason}


def _write_end(run: RunDirectory, report: Report, fields: dict[str, Any], text: str) -> Report:
    """Write the last fields of status.json and the last text of the log; the launcher does what fails here."""
    try:
        if text:
            say_in_log(run.log, "ERROR", text)
        if fields:
            run.update(**fields)
    except OSError:  # the disk is full
        return replace(report, unwritten=(fields, text))
    return report


def _state_after(error: BaseException) -> State:
    if type(error).__name__ == "TrialPruned":  # Optuna's, which is not imported for its name
        return State.PRUNED
    if isinstance(error, RunEnded):
        return State(error.state)
    return State.INTERRUPTED if isinstance(error, KeyboardInterrupt) else State.FAILED


def _stored_value(run: RunDirectory, value: Any) -> dict[str, Any]:
    """For status.json, so that a sweeper gets the value of a run that is skipped; only what JSON can say."""
    kept, left_out = kept_value(value)
    if not left_out:
        return {"return_value": kept}
    with contextlib.suppress(OSError):  # a full disk: status.json has it too
        say_in_log(run.log, "WARNING", f"of what the task returned this cannot be kept: {', '.join(left_out)}")
    return {"return_value": kept, "return_value_left_out": left_out}


def _portable(error: BaseException) -> Exception:
    """`error`, with its traceback and its causes, where another process can have it, else its text."""
    if isinstance(error, Exception):
        try:
            pickling_support.install(error)
            if type(cloudpickle.loads(cloudpickle.dumps(error))) is type(error):
                return error
        except Exception:
            logging.getLogger(__name__).debug("a %s cannot be pickled", type(error).__name__, exc_info=True)
    return RunEnded(reason_of_exception(error))


def _redirect_output(path: Path) -> None:
    # The launcher's terminal shows the sweep; the output of many runs would only disturb each other there.
    sys.stdout.flush()
    sys.stderr.flush()
    with open_no_links(path, "ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    for printed in (sys.stdout, sys.stderr):
        if isinstance(printed, io.TextIOWrapper):
            printed.reconfigure(line_buffering=True)  # so that a crash loses nothing


def say_in_log(path: Path, level: str, message: str) -> None:
    """Append a line, in the form of `hydra/job_logging: run`, whatever logging the task has set up."""
    with open_no_links(path, "a") as stream:
        stream.write(f"{logging.Formatter().formatTime(logging.makeLogRecord({}))} {level} {message}\n")


def tell_what_it_waits_for(directory: Path, seconds: float) -> threading.Timer:
    """Have the log say, where this process is still there after so many seconds, what keeps a run that has ended."""

    def tell() -> None:
        threads = [
            each.name for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()
        ]
        what = f"for its threads {', '.join(threads)}" if threads else "in an exit handler (atexit)"
        with contextlib.suppress(OSError):  # a full disk
            say_in_log(RunDirectory(directory).log, "WARNING", f"the run has ended; its process still waits {what}")

    timer = threading.Timer(seconds, tell)
    timer.daemon = True
    timer.start()
    return timer


def _offer_to_the_memory_killer() -> None:
    """Where memory runs out, the kernel shall kill a run, which can be tried again, and neither server nor launcher."""
    path = Path("/proc/self/oom_score_adj")
    try:
        path.write_text(str(max(int(path.read_text()), 300)))
    except OSError as error:
        logging.getLogger(__name__).debug("%s cannot be written: %s", path, error)

"""One run: a script with its GPU, its threads, its log and its results."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddrsa.errors import ConfigError, RunEnded, UsageError
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.reasons import kernel_memory_kills
from ddrsa.rundir.states import State
from ddrsa.scripts.arguments import given_value, interface_of_job
from ddrsa.scripts.command import Command, command_of
from ddrsa.scripts.ending import reason_of_script
from ddrsa.scripts.options import ScriptsOptions, scripts_options
from ddrsa.scripts.own_directory import Limits, own_directory
from ddrsa.scripts.process import Terminated, execute
from ddrsa.scripts.results.collect import collect_metrics
from ddrsa.scripts.results.log_lines import is_called, read_log_numbers
from ddrsa.scripts.results.numbers import Numbers
from ddrsa.scripts.spelling import find_option, normalised
from ddrsa.sweep.gpu.lease import current_lease, release_current
from ddrsa.sweep.process.cores import concurrent_runs, threads_per_run

log = logging.getLogger(__name__)

# Read by OpenMP, Intel MKL, OpenBLAS, numexpr and Rayon when a program starts.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
# Where a script that has no option for it finds its output directory.
OUTPUT_VARIABLE = "DDRSA_OUTPUT_DIR"
# How much of the end of its output is searched for the reason of a failure, and for metrics.
TAIL_BYTES = 16384
METRICS_BYTES = 2**20
# Beneath a script's output directory, the parent of its own working directory: not that itself, in which the links to
# what is beside the shared one would stand in the way of results.
WORKING_DIR = "working_dir"
# So many shared files that were changed are named.
MOST_CHANGED = 10


def run_script(config: DictConfig, name: str) -> float | None:
    """Do the run that `config` describes in Hydra's output directory; `name` is its run id.

    A completed run is not done again. Its metrics are the numbers that the script left as JSON in its output directory.

    Returns the metric `scripts.objective`, None where that is null.

    Raises ConfigError where the script cannot be started, and RunEnded where it did not end well.
    """
    options = scripts_options(config)
    assert options is not None
    directory = RunDirectory(HydraConfig.get().runtime.output_dir)
    status = directory.status_or_empty(warn=True)
    if status.get("state") == State.COMPLETED and status.get("run_id") == name and directory.has_its_result(status):
        log.info("%s is complete already", directory.shown)
        return status.get("return_value")
    try:
        directory.begin(name)
        # Which of the project's launchers this attempt has; none of them under joblib and basic.
        launcher = directory.status_or_empty(warn=True).get("launcher")
        try:
            metrics = _do(config, options, directory)
            objective = _objective(options, metrics)
        except Terminated:
            if launcher is not None:
                # Whoever sent it knows why, and writes that into status.json.
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)
            directory.end(State.INTERRUPTED, "ended by SIGTERM")
            raise KeyboardInterrupt from None
        except BaseException as error:
            _record_failure(directory, error)
            raise
        directory.write_test_metrics({"run_id": name, **metrics})
        directory.end(State.COMPLETED, return_value=objective)
        log.info("%s completed in %.1f s", directory.shown, metrics["training_time_seconds"])
        return objective
    finally:
        release_current()


def _do(config: DictConfig, options: ScriptsOptions, directory: RunDirectory) -> dict[str, Any]:
    command = command_of(options, directory.path.absolute())
    gpu_index: int | None = config.gpu_index
    lease = current_lease()
    gpus = lease.indices if lease is not None else () if gpu_index is None else (gpu_index,)
    if config.gpus_per_run > 1 and gpu_index is None and config.device != "cpu":
        raise ConfigError(f"gpus_per_run={config.gpus_per_run}: no GPU was found; device=cpu does without")
    if config.device == "cuda" and gpu_index is None:
        raise ConfigError("device=cuda: no GPU was found; allowed here are auto and cpu")
    threads = threads_per_run(concurrent_runs(HydraConfig.get()))
    command.output_dir.mkdir(parents=True, exist_ok=True)
    environ = _environ(str(config.device), gpus, threads, command)
    device = ",".join(f"cuda:{index}" for index in gpus)
    if gpu_index is None or config.device in ("cpu", "mps"):
        device = "mps" if config.device == "mps" else "cpu"
    directory.update(
        command=list(command.line),
        output_dir=str(command.output_dir),
        device=device,
        gpu_index=gpu_index,
        cpu_threads=threads,
    )
    log.info("%s", command)
    began, memory_kills = time.monotonic(), kernel_memory_kills()
    begin_of_output = directory.log.stat().st_size if directory.log.exists() else 0
    exit_code, end_of_output = _execute(command, directory, environ, options.own_limits)
    seconds = round(time.monotonic() - began, 3)
    directory.update(exit_code=exit_code)
    if exit_code != 0:
        out_of_memory = kernel_memory_kills() > memory_kills
        raise reason_of_script(
            exit_code, out_of_memory, _tail(directory.log, begin_of_output, end_of_output, TAIL_BYTES)
        )
    found = collect_metrics(command.output_dir, options.metrics)
    if options.log_metrics:
        printed = _tail(directory.log, begin_of_output, end_of_output, METRICS_BYTES)
        numbers = read_log_numbers(printed, options.log_metrics)
        found.results |= numbers
        missing = [pattern for pattern in options.log_metrics if not any(is_called(name, pattern) for name in numbers)]
        if missing:
            directory.update(log_metrics_missing=missing)
            log.warning("scripts.log_metrics=%s: it has printed no line with a number of that name", missing)
    _set_apart_what_it_was_told(found, command, options)
    if found.configuration:
        directory.update(script_configuration=found.configuration)
    return {"training_time_seconds": seconds, **found.results}


def _execute(command: Command, directory: RunDirectory, environ: dict[str, str], limits: Limits) -> tuple[int, int]:
    """Run the script. Returns its exit code, and how far what it has printed goes in the run's log."""
    if not command.own_working_dir:
        exit_code = execute(command.line, directory.log, command.working_dir, environ)
        return exit_code, directory.log.stat().st_size
    parent = command.output_dir / WORKING_DIR
    with own_directory(command.working_dir, parent, limits, command.results) as (place, common):
        common.look_behind(command.job.path.absolute().parent)
        for folder in common.linked:
            log.warning(
                "%s is shared by all runs: there are more than scripts.own_limits.entries=%d entries in %s",
                folder,
                limits.entries,
                command.working_dir,
            )
        exit_code = execute(command.line, directory.log, place, environ)
        end_of_output = directory.log.stat().st_size
        changed = common.changed()
        if changed:
            directory.update(shared_files_changed=[str(path) for path in changed[:MOST_CHANGED]])
        for path in changed[:MOST_CHANGED]:
            log.warning(
                "%s was changed while this run was under way. It is shared by the runs of this script, which may "
                "overwrite each other's: it lies beside their working directory, behind a link, beyond "
                "scripts.own_limits, or where the script goes by a whole path. Have it write into {output_dir}",
                path,
            )
        if len(changed) > MOST_CHANGED:
            log.warning("%d more shared files were changed", len(changed) - MOST_CHANGED)
        if common.unseen:
            log.info(
                "more than %d files lie behind links or beside the script: of the rest no change is seen",
                limits.entries,
            )
    return exit_code, end_of_output


def _set_apart_what_it_was_told(found: Numbers, command: Command, options: ScriptsOptions) -> None:
    """Numbers that repeat an argument of the script, or its default, are no results."""
    script_options = interface_of_job(command.job, options).options
    for name in list(found.results):
        option = find_option(script_options, [normalised(name)])
        if option is None:
            continue
        given = given_value(option, command.line)
        if _same_number(option.default if given is None else given, found.results[name]):
            found.configuration[name] = found.results.pop(name)


def _same_number(told: object, number: float) -> bool:
    try:
        return float(told) == number  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _environ(device: str, gpus: Sequence[int], threads: int, command: Command) -> dict[str, str]:
    """The environment of this process, with the leased GPUs as the only ones, and the run's share of the cores."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", OUTPUT_VARIABLE: str(command.output_dir)}
    # What the user has set is left as it is.
    environ |= {name: str(threads) for name in THREAD_VARIABLES if name not in os.environ}
    environ |= command.environment
    if device == "cpu":
        environ["CUDA_VISIBLE_DEVICES"] = ""
    elif gpus and device != "mps":
        visible = [entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if entry.strip()]
        seen = [visible[index] if index < len(visible) else str(index) for index in gpus]
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(seen)
    return environ


def _tail(log_file: Path, begin: int, end: int, size: int) -> str:
    """At most the last `size` bytes of what the log has between `begin` and `end`."""
    with log_file.open("rb") as stream:
        start = max(begin, end - size)
        stream.seek(start)
        return stream.read(max(end - start, 0)).decode(errors="replace")


def _objective(options: ScriptsOptions, metrics: dict[str, Any]) -> float | None:
    if options.objective is None:
        return None
    if options.objective not in metrics:
        left = ", ".join(metrics)
        raise RunEnded(f"the script left no metric {options.objective} (scripts.objective); there are {left}")
    return float(metrics[options.objective])


def _record_failure(directory: RunDirectory, error: BaseException) -> None:
    if isinstance(error, RunEnded):
        log.error("%s", error)
        directory.end(error.state, str(error))
        return
    if isinstance(error, UsageError):
        log.error("%s", error)
    interrupted = isinstance(error, KeyboardInterrupt)
    directory.end(State.INTERRUPTED if interrupted else "failed", f"{type(error).__name__}: {error}".removesuffix(": "))

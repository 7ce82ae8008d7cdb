"""The commands that follow an analysis: train the best configuration again, or sweep further."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddrsa.errors import UsageError
from ddrsa.overrides import override_key, override_text
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.structure import Fields, ListOf, MapTo, check_structure
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.schema import OF_THE_SWEEP
from ddrsa.started import TRAIN_JOB, as_grid_beside, as_one_run, subcommand, sweep_program, sweep_starter, train_program

log = logging.getLogger(__name__)

_HYDRA = Fields({"hydra!": Fields({"job!": Fields({"name!": str})})})

# More epochs than before, by this factor.
LONGER = 2
_DEFAULT_EPOCHS = 100

# One run that is trained again has no use for them, or gets values of its own. In an app that is not the project's
# these names are keys like any other.
_LEFT_OUT = OF_THE_SWEEP | {"resume", "num_epochs"}


def train_again(run: RunDirectory, hyperparameters: Mapping[str, Any], num_epochs: Any) -> tuple[str, str]:
    """What is done, in words, and the shell command: the configuration of `run` again, longer, and its forecasts drawn.

    hyperparameters: the swept ones of the run, for a run whose overrides cannot be read; num_epochs: how many it had.
    A script, and a task that is not the project's, is run again as it was.
    """
    left_out = _left_out(run)
    kept = [item for item in _overrides(run, hyperparameters) if override_key(item) not in left_out]
    kept += as_one_run(run.path / ".hydra" / "hydra.yaml", is_script=is_script(run))
    if is_script(run) or not _is_model(run):
        return "run the best again", command(run, kept)
    if isinstance(num_epochs, int) and num_epochs > 0:
        epochs, longer = num_epochs * LONGER, f"with {num_epochs * LONGER} epochs in the place of {num_epochs}"
    else:
        epochs, longer = _DEFAULT_EPOCHS, f"with {_DEFAULT_EPOCHS} epochs"
    does = f"train the best again, {longer}, and draw its forecasts"
    return does, command(run, [*kept, f"num_epochs={epochs}", "visualize=true"])


def _left_out(run: RunDirectory) -> frozenset[str]:
    return frozenset(_LEFT_OUT) if is_script(run) or _is_model(run) else frozenset()


def _is_model(run: RunDirectory) -> bool:
    """Whether `run` is a model of the project."""
    return has_keys(run, "lookback", "horizon")


def sweep_further(run: RunDirectory, hyperparameters: Mapping[str, Any], tried: Mapping[str, list[Any]]) -> str:
    """The shell command that sweeps the configuration of `run` over the values `tried`, by key."""
    given = [(override_key(item), item) for item in _overrides(run, hyperparameters)]
    left_out = _left_out(run) - {"num_epochs"}
    overrides = [item for key, item in given if key not in left_out and key not in tried]
    lists = [f"{key}={','.join(hydra_value(value) for value in values)}" for key, values in tried.items()]
    noted = next((path for path in run.path.absolute().parents if (path / CONFIG).is_file()), None)
    hydras = [] if noted is None else as_grid_beside(noted)[0]
    return command(run, ["-m", *hydras, *overrides, *lists])


def takes_more_runs(sweep_dir: Path) -> bool:
    """Whether more runs may be done in the directory of a sweep without harm to those that are there."""
    return as_grid_beside(sweep_dir)[1]


def is_script(run: RunDirectory) -> bool:
    """Whether `run` is a training script (docs/scripts.md), which knows neither the seed nor the epochs of a model."""
    return _config(run).get("scripts") is not None


def has_keys(run: RunDirectory, *keys: str) -> bool:
    """Whether the config of `run` has these keys at its top level."""
    return set(keys) <= _config(run).keys()


def _config(run: RunDirectory) -> dict[str, Any]:
    return plain_file(run.config, MapTo(object)) or {}  # the table of runs says what is wrong with it


def plain_file(file: Path, form: Any, *, say: bool = False) -> Any:
    """The content of a YAML file that Hydra wrote; None where it is missing, or not of `form`.

    say: log what is wrong with it, by its name and the key.
    """
    try:
        content = read_yaml(file)
        check_structure(content, form, file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if say:
            log.warning("%s; commands that are shown do without it", " ".join(str(error).split()))
        return None
    return content


def command(run: RunDirectory, arguments: list[str]) -> str:
    """The arguments behind the program that did `run`, and behind its options that say where the config is."""
    return shlex.join([*_starter(run, _sweep_of(run)), *arguments])


def _sweep_of(run: RunDirectory) -> Path | None:
    return next((path for path in run.path.absolute().parents if (path / MANIFEST).is_file()), None)


def resume(sweep_dir: Path) -> str:
    """The shell command that goes on with a sweep. The options of its start need not be given again."""
    try:
        program = sweep_program(sweep_dir)
    except UsageError:
        program = train_program()
    if program not in (["ddrsa", "train"], ["python", "train.py"]):
        return shlex.join([*subcommand("resume").split(), str(sweep_dir)])  # an app that may not know `resume=`
    return shlex.join([*program, f"resume={sweep_dir}"])


def _starter(run: RunDirectory, sweep_dir: Path | None) -> list[str]:
    try:
        return _job_program(run) if sweep_dir is None else sweep_starter(sweep_dir)
    except UsageError:  # the report says that the manifest is damaged
        return _job_program(run)


def hydra_value(value: Any) -> str:
    """`value` as one writes it on the command line of Hydra."""
    # The hyperparameters of a run have lists as their text.
    return value if isinstance(value, str) and re.fullmatch(r"\[.*\]", value) else override_text(value)


def settings(values: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as on the command line, but for people: numbers with four digits at most."""
    return [f"{key}={short_value(value)}" for key, value in values.items()]


def short_value(value: Any) -> str:
    """`value` as on the command line, a number with four digits at most."""
    return f"{value:.4g}" if isinstance(value, float) else hydra_value(value)


def _overrides(run: RunDirectory, hyperparameters: Mapping[str, Any]) -> list[str]:
    overrides = plain_file(run.overrides, ListOf(str), say=True)
    if overrides is not None:
        return list(overrides)
    return [f"{key}={hydra_value(value)}" for key, value in hyperparameters.items()]


def _job_program(run: RunDirectory) -> list[str]:
    """The program of a run that is in no sweep with a manifest, by the name that Hydra noted."""
    hydra = plain_file(run.path / ".hydra" / "hydra.yaml", _HYDRA, say=True)
    name = TRAIN_JOB if hydra is None else hydra["hydra"]["job"]["name"]
    return train_program() if name == TRAIN_JOB else ["python", f"{name}.py"]


def run_of(directory: str, path: Path) -> RunDirectory:
    """The run that the tables of the analysis in `path` call `directory`."""
    return RunDirectory(path / directory)

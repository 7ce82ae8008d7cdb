"""A report on a data set: python -m ddrsa.data.describe dataset=turbofan dataset.subset=FD001

It prints units, rows, lifetimes, censoring, and sensors that are constant or missing, and draws the lifetimes and the
sensors against the time to event. `json=true` prints JSON, `output_dir=DIR` says where the plots go.
"""

from __future__ import annotations

import sys

from ddrsa.extras import run_module
from ddrsa.texts import say

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.data.describe", "models", arguments=False))  # before the imports that need the extra

import json
import logging
import shlex
from pathlib import Path
from typing import Any, NoReturn

import hydra
from omegaconf import DictConfig, OmegaConf

from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.conf_dir import conf_dir
from ddrsa.data.load import read_parts
from ddrsa.data.notes import collected_notes, silent_readers
from ddrsa.data.options import DatasetOptions, check_dataset_options
from ddrsa.data.proposal.dataset_file import as_text as as_guesses
from ddrsa.data.proposal.dataset_file import dataset_name, write_dataset_file
from ddrsa.data.proposal.propose import propose, try_out
from ddrsa.data.report.numbers import as_text, describe_part
from ddrsa.data.report.plots import lifetimes_figure, save, trends_figure
from ddrsa.data.scaling import fit_scaler
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError, DataError
from ddrsa.overrides import override_text
from ddrsa.started import absolute_config_path, subcommand, train_program
from ddrsa.time_units import CYCLES, SECONDS, counted, unit_of_column


@hydra.main(config_path=str(conf_dir()), config_name="describe", **VERSION_BASE)
def hydra_main(config: DictConfig) -> None:
    """Print and draw the report. Raises ConfigError and DataError as the training would."""
    values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    if values["propose"] is not None:
        _propose(values)
        return
    if not isinstance(values["dataset"], dict):
        raise ConfigError(f"dataset={values['dataset']!r}: allowed is one of the files in conf/dataset/")
    options = check_dataset_options(values["dataset"])
    output_dir = Path(values["output_dir"] or Path("data_report") / _name(options).replace("/", "_"))
    report = describe(options, Path(values["data_dir"]), output_dir)
    say(json.dumps(report, indent=2) if values["json"] else as_text(report))


def _propose(values: dict[str, Any]) -> None:
    """Print the guesses about the user's files, and write them as a dataset file."""
    path = str(values["propose"])
    name = dataset_name(path, values["as"])
    with silent_readers():
        guesses = propose(path, events=values["events"], attributes=values["attributes"])
        with collected_notes() as notes:
            error = try_out(guesses)
    written = write_dataset_file(guesses, name, Path(values["my_conf"]))
    say(as_guesses(guesses))
    say("".join(f"\n  {note.message}" for note in notes if note.level >= logging.WARNING))
    say(f"wrote {written}")
    options = f"--config-dir {shlex.quote(str(values['my_conf']))} dataset={name}"
    if error is None:
        say(f"the files can be read so: {subcommand('describe')} {options}")
        say(f"then train: {' '.join(train_program())} {options}")
    else:
        say(f"to be corrected there, for the files cannot be read so: {error}")


def describe(options: DatasetOptions, data_dir: Path, output_dir: Path) -> dict[str, Any]:
    """Read the data set anew, write the plots `lifetimes.png` and `trends.png` to `output_dir`, return the report.

    Raises DataError where the data cannot be read or the plots cannot be written.
    """
    with collected_notes() as notes, silent_readers():
        parts = read_parts(options, data_dir=data_dir, cache_dir=None)
    name, unit = _name(options), _unit(options, parts["run_to_failure"])
    try:
        plots = _draw(parts["run_to_failure"], options, name, unit, output_dir)
    except OSError as error:
        raise DataError(f"output_dir={output_dir} cannot be written: {error}") from error
    return {
        "dataset": name,
        "time_unit": unit,
        "parts": {part: describe_part(sequences) for part, sequences in parts.items()},
        "notes": [note.message for note in notes],
        "plots": [str(path) for path in plots],
    }


def _draw(sequences: Sequences, options: DatasetOptions, name: str, unit: str, output_dir: Path) -> list[Path]:
    figures = {"lifetimes": lifetimes_figure(sequences, name, unit)}
    value = "features"
    if options.scaling == "condition":
        # Otherwise the operating conditions hide all that wears. Fitted on every unit: nothing is learned from this.
        sequences = fit_scaler(sequences, "condition").apply(sequences)
        value = "features, standardised within operating conditions,"
    trends = trends_figure(sequences, name, unit, value)
    if trends is not None:
        figures["trends"] = trends
    paths = [output_dir / f"{plot}.png" for plot in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        save(figure, path)
    return paths


def _unit(options: DatasetOptions, sequences: Sequences) -> str:
    """What a row stands for: cycles, steps of 6h, or where the files have their own rows, rows of 1 hour."""
    labels = sequences.labels
    if options.time_unit != "rows" or labels is None or labels.step is None:
        return options.time_unit
    if labels.has_dates:
        unit = next((unit for unit, size in SECONDS.items() if labels.step >= size), "seconds")
        return f"rows of {counted(labels.step / SECONDS[unit], unit)}"
    unit = unit_of_column(getattr(options, "time_column", "time"), labels.step)
    return unit if unit == CYCLES else f"rows of {counted(labels.step, unit)}"


def _name(options: DatasetOptions) -> str:
    subset = getattr(options, "subset", None)
    if isinstance(subset, list):
        subset = "+".join(subset)
    return options.name if subset is None else f"{options.name}/{subset}"


def main() -> NoReturn:
    """Do what `sys.argv` says and exit."""
    absolute_config_path()
    sys.argv[1:] = [_as_override(argument) for argument in sys.argv[1:]]
    run_cli(hydra_main)


def _as_override(argument: str) -> str:
    """A file that stands alone is one to propose for; a path is what it says, whatever Hydra would make of it."""
    key, equals, value = argument.partition("=")
    if not equals and not argument.startswith("-") and Path(argument).exists():
        key, value = "propose", argument
    return f"{key}={override_text(value)}" if key in ("propose", "events", "attributes") else argument

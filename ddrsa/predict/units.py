"""Units to predict for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.data.frame import NamedUnits, read_frame
from ddrsa.data.load import load_dataset, read_parts
from ddrsa.data.options import DatasetOptions, TableOptions, check_dataset_options
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.predict.options import PredictOptions
from ddrsa.trained import TrainedRun

# The user's own files may hold units for any model that reads their columns.
OWN_FILES = "table"
# What may be otherwise with new units without a word: where they are, and what says that they have failed.
MAY_DIFFER = ("path", "event_column", "time_to_event_column", "all_units_fail")
# Of the ways to say when a unit fails, the one that needs no column; what it says is not used.
_ALIVE: dict[str, Any] = {"event_column": None, "time_to_event_column": None, "all_units_fail": True}


def read_units(run: TrainedRun, given: Mapping[str, Any], options: PredictOptions) -> Sequences:
    """The units to predict for, as they were read.

    given: the keys of `dataset` on the command line; all others are those of the training.
    Raises ConfigError where the data set is another one, or has no such part; DataError for missing or wrong data.
    """
    trained = run.config.dataset
    name = given.get("name", trained.name)
    if name not in (trained.name, OWN_FILES):
        raise ConfigError(f"dataset={name}: the model of {run.checkpoint} was trained on {trained.name}")
    keys = {**(asdict(trained) if name == trained.name else {}), **given}
    if options.alive and name == OWN_FILES:
        keys |= _ALIVE
    chosen = check_dataset_options(keys)
    _warn_of_other_data(trained, chosen)
    parts = read_parts(chosen, data_dir=options.data_dir, cache_dir=options.cache_dir)
    units = _part(parts, chosen, run, options)
    return _still_alive(units) if options.alive else units


def frame_units(run: TrainedRun, frame: pd.DataFrame) -> NamedUnits:
    """The units of a DataFrame with the columns of the training's files, as they were read.

    Of a table the columns that the model does not read may be absent. What tells the events is used where it is there,
    as in training; without it the units are still running. Raises as `read_frame`.
    """
    options = run.config.dataset
    alive = True
    if isinstance(options, TableOptions):
        names = run.scaler.feature_names
        categories = tuple(f"{column}=" for column in options.categorical_columns)
        keys: dict[str, Any] = {
            "feature_columns": [name for name in names if not name.startswith(categories)],
            "categorical_columns": [
                c for c in options.categorical_columns if any(n.startswith(f"{c}=") for n in names)
            ],
            "exclude_columns": [],
            "group_column": None,
        }
        told_by = options.event_column or options.time_to_event_column
        alive = told_by is None or told_by not in getattr(frame, "columns", ())
        if alive:
            keys |= _ALIVE
        options = replace(options, **keys)
    units, unit_names = read_frame(frame, options)
    return NamedUnits(_still_alive(units) if alive else units, unit_names)


def _part(
    parts: Mapping[str, Sequences], chosen: DatasetOptions, run: TrainedRun, options: PredictOptions
) -> Sequences:
    config = run.config
    tests_on_official = chosen.test_fraction == 0 and config.num_folds is None
    if options.part == "official" or (options.part == "test" and tests_on_official):
        if "official" not in parts:
            raise ConfigError(f"part={options.part}: {chosen.name} has no official test set here")
        return parts["official"]
    units = parts["run_to_failure"]
    if options.part == "all":
        return units
    split = load_dataset(
        asdict(chosen),
        data_dir=options.data_dir,
        cache_dir=options.cache_dir,
        seed=config.training.seed,
        num_folds=config.num_folds,
        fold=config.fold,
    )
    selected: Sequences = getattr(split, options.part)
    return units.select_units(selected.unit_ids)


def _still_alive(units: Sequences) -> Sequences:
    """The same rows, of units of which nothing is known but that they were running at their last row."""
    ends = np.append(units.starts[1:], units.num_rows)
    last = np.repeat(ends, np.diff(np.append(units.starts, units.num_rows))) - 1
    remaining = (last - np.arange(units.num_rows)).astype(np.float32)
    return replace(units, time_to_event=remaining, event_observed=np.zeros(units.num_rows, dtype=np.bool_))


def _warn_of_other_data(trained: DatasetOptions, chosen: DatasetOptions) -> None:
    before = trained.reading_options()
    for key, value in chosen.reading_options().items():
        if trained.name == chosen.name and key not in MAY_DIFFER and value != before[key]:
            message = f"the model was trained with dataset.{key}={before[key]}, these data have {value}"
            print(f"warning: {message}", file=sys.stderr)

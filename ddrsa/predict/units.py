"""The units to predict for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ddrsa.data.load import read_parts, split_of
from ddrsa.data.options import DatasetOptions, check_dataset_options
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.predict.options import PredictOptions
from ddrsa.trained import TrainedRun

# The user's own files may hold units for any model that reads their columns.
OWN_FILES = "table"


def read_units(run: TrainedRun, given: Mapping[str, Any], options: PredictOptions) -> Sequences:
    """The units to predict for, with scaled features.

    given: the keys of `dataset` on the command line; all others are those of the training.
    Raises ConfigError where the data set is another one, or has no such part; DataError for missing or wrong data.
    """
    trained = run.config.dataset
    name = given.get("name", trained.name)
    if name not in (trained.name, OWN_FILES):
        raise ConfigError(f"dataset={name}: the model of {run.checkpoint} was trained on {trained.name}")
    chosen = check_dataset_options({**(asdict(trained) if name == trained.name else {}), **given})
    _warn_of_other_data(trained, chosen)
    parts = read_parts(chosen, options.data_dir, options.cache_dir)
    if options.part == "official":
        if "official" not in parts:
            raise ConfigError(f"part=official: {name} has no official test set here")
        return run.scaled(parts["official"])
    units = parts["run_to_failure"]
    if options.part != "all":
        config = run.config
        split = split_of(units, chosen, seed=config.training.seed, num_folds=config.num_folds, fold=config.fold)
        units = units.select_units(getattr(split, options.part))
    return run.scaled(units)


def _warn_of_other_data(trained: DatasetOptions, chosen: DatasetOptions) -> None:
    before = trained.reading_options()
    for key, value in chosen.reading_options().items():
        if trained.name == chosen.name and key != "path" and value != before[key]:
            message = f"the model was trained with dataset.{key}={before[key]}, these data have {value}"
            print(f"warning: {message}", file=sys.stderr)

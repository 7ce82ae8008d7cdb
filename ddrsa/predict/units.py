"""Units to predict for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.data.frame import NamedUnits, read_frame
from ddrsa.data.load import load_dataset, read_parts
from ddrsa.data.notes import silent_readers
from ddrsa.data.options import DatasetOptions, TableOptions, TurbofanOptions, check_dataset_options
from ddrsa.data.sequences import Sequences
from ddrsa.data.table.read import running_units
from ddrsa.errors import ConfigError, DataError
from ddrsa.overrides import override_text
from ddrsa.predict.options import PredictOptions
from ddrsa.texts import say
from ddrsa.trained import TrainedRun, load_trained

# The user's own files may hold units for any model that reads their columns.
OWN_FILES = "table"
# The parts of the run's own split.
_SPLIT = ("training", "validation", "test")
# What may be otherwise with new units without a word: where they are, and what says that they have failed.
MAY_DIFFER = (
    *("event_column", "time_to_event_column", "all_units_fail", "failure_kinds", "reset_kinds", "has_events_path"),
    *(
        "separator",
        "encoding",
        "sheet",
        "columns",
        "skip_lines",
        "decimal",
        "thousands",
        "missing_values",
        "date_format",
        "time_zone",
    ),
    *("events_unit_column", "events_time_column", "events_date_format", "events_kind_column", "attributes_unit_column"),
    "step",  # `_check_step` compares what it is
)


def load_run(options: PredictOptions) -> TrainedRun:
    """The run that the options name. Raises what `load_trained` does."""
    return load_trained(
        str(options.checkpoint), device=options.device, data_dir=options.data_dir, cache_dir=options.cache_dir
    )


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
    if isinstance(trained, TurbofanOptions) and "subset" in given and "evaluate_on" not in given:
        keys["evaluate_on"] = None
    if options.alive and name == OWN_FILES and not isinstance(trained, TableOptions):
        keys = {"all_units_fail": True, **keys}
    if options.part in _SPLIT and "path" in given and not _same_files(trained, str(given["path"])):
        raise ConfigError(
            f"part={options.part} is a part of the run's own data, and dataset.path={given['path']} is another file: "
            "leave part out to predict for all of its units"
        )
    chosen = check_dataset_options(keys)
    _check_subsets(trained, chosen, options.part)
    _warn_of_other_data(trained, chosen)
    if isinstance(trained, TableOptions) and isinstance(chosen, TableOptions) and "path" in given:
        chosen = replace(
            chosen, **{key: value for key, value in _what_is_read(run, trained).items() if key not in given}
        )
    if options.alive and isinstance(chosen, TableOptions):
        units = running_units(chosen)
    else:
        parts = read_parts(chosen, data_dir=options.data_dir, cache_dir=options.cache_dir)
        units = _part(parts, chosen, run, options)
    _check_step(run, units)
    return _still_alive(units) if options.alive else units


def frame_units(run: TrainedRun, frame: pd.DataFrame) -> NamedUnits:
    """The units of a DataFrame with the columns of the training's files, as they were read.

    Of a table the columns that the model does not read may be absent. What tells the events is used where it is there,
    as in training; without it the units are still running. Raises as `read_frame`.
    """
    options = run.config.dataset
    alive = True
    if isinstance(options, TableOptions):
        told_by = options.event_column or options.time_to_event_column
        alive = told_by is None or told_by not in getattr(frame, "columns", ())
        options = replace(options, **_what_is_read(run, options))
    units, unit_names = read_frame(frame, options, running=alive)
    _check_step(run, units)
    return NamedUnits(_still_alive(units) if alive else units, unit_names)


def _what_is_read(run: TrainedRun, options: TableOptions) -> dict[str, Any]:
    """The keys that read of a table no more than the features of the model."""
    names = run.scaler.feature_names
    categories = tuple(f"{column}=" for column in options.categorical_columns)
    return {
        "feature_columns": [name for name in names if not name.startswith(categories)],
        "categorical_columns": [c for c in options.categorical_columns if any(n.startswith(f"{c}=") for n in names)],
        "exclude_columns": [],
        "group_column": None,
    }


def _same_files(trained: DatasetOptions, path: str) -> bool:
    if not isinstance(trained, TableOptions):
        return False
    return Path(trained.path).expanduser().resolve() == Path(path).expanduser().resolve()


def _check_step(run: TrainedRun, units: Sequences) -> None:
    """Raise DataError where the rows lie further apart than those of the training, or closer."""
    known, labels = run.inputs, units.labels
    if known is None or known.step is None or labels is None or labels.step is None:
        return
    if known.dates != labels.has_dates:
        kinds = {True: "dates", False: "numbers"}
        message = f"the times of the training were {kinds[known.dates]}, these are {kinds[labels.has_dates]}"
        say(f"warning: {message}: whether the rows lie as far apart as there is not known", to=sys.stderr)
        return
    if abs(known.step - labels.step) <= 1e-6 * known.step:
        return
    trained, found = _length(known.step, known.dates), _length(labels.step, known.dates)
    raise DataError(
        f"the model was trained on rows that lie {trained} apart, these lie {found} apart; dataset.step={trained} "
        f"resamples them{'' if labels.step < known.step else ', and repeats the last row where there is none'}"
    )


def _length(step: float, dates: bool) -> str:
    """A step as `dataset.step` takes it."""
    if not dates:
        return f"{step:g}"
    for unit, seconds in (("D", 86400), ("h", 3600), ("min", 60)):
        if step % seconds == 0:
            return f"{step / seconds:g}{unit}"
    return f"{step:g}s"


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
    with silent_readers():  # they have spoken for `parts` already
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


def _check_subsets(trained: DatasetOptions, chosen: DatasetOptions, part: str) -> None:
    """Raise ConfigError where a part of the run's split is asked for, and the run has split that subset in no parts."""
    if not isinstance(trained, TurbofanOptions) or not isinstance(chosen, TurbofanOptions) or part not in _SPLIT:
        return
    only_trained = [name for name in chosen.evaluated if name in trained.subsets and name not in trained.evaluated]
    if only_trained:
        raise ConfigError(
            f"part={part}: all units of {', '.join(only_trained)} have trained the model, since "
            f"dataset.evaluate_on={trained.evaluate_on}; allowed are part=all, with units that it knows, and official"
        )


def _warn_of_other_data(trained: DatasetOptions, chosen: DatasetOptions) -> None:
    if isinstance(trained, TurbofanOptions) and isinstance(chosen, TurbofanOptions):
        unknown = [name for name in chosen.subsets if name not in trained.subsets]
        if unknown:
            message = f"the model was trained with dataset.subset={override_text(trained.subset)}"
            say(f"warning: {message}, these data have {', '.join(unknown)}", to=sys.stderr)
        return
    before = trained.reading_options()
    for key, value in chosen.reading_options().items():
        if trained.name == chosen.name and key not in MAY_DIFFER and value != before[key]:
            message = f"the model was trained with dataset.{key}={before[key]}, these data have {value}"
            say(f"warning: {message}", to=sys.stderr)

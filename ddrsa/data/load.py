"""Loading of a data set: from the config group `dataset` to scaled training, validation and test units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ddrsa.data.azure.files import find_files, read_azure_pm
from ddrsa.data.cache import cached, comparison_hash, content_key
from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.cmapss.turbofan import read_turbofan, source_files
from ddrsa.data.inputs import TrainingInputs, training_inputs
from ddrsa.data.joined import STRIDE, join, units_of
from ddrsa.data.options import (
    AzureOptions,
    DatasetOptions,
    SimulatedOptions,
    TableOptions,
    TurbofanOptions,
    check_dataset_options,
)
from ddrsa.data.scaling import Scaler, fit_scaler
from ddrsa.data.sequences import Sequences
from ddrsa.data.splits import Split, split_units
from ddrsa.data.table.files import all_files
from ddrsa.data.table.read import read_table_sequences
from ddrsa.errors import ConfigError


class Source(NamedTuple):
    """The source of a data set: its files, for the cache, and their reader.

    `read` returns "run_to_failure", which is split by unit, and "official" where there is an official test set.
    """

    files: list[Path]
    read: Callable[[], dict[str, Sequences]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The parts of a data set, scaled by what its training units show.

    test: some of the units; with `test_fraction` 0 those of the official test set, and all others train and validate.
    official: the official test set, in which units stop before their failure; None where there is none.
    policy: units that train nothing, for the promise of a policy; None where `policy_fraction` is 0 or null.
    inputs: what the features of the training units were before scaling.
    subsets: the names of the subsets that are evaluated, where these are several.
    """

    name: str
    training: Sequences
    validation: Sequences
    test: Sequences
    official: Sequences | None
    scaler: Scaler
    inputs: TrainingInputs
    policy: Sequences | None = None
    subsets: tuple[str, ...] = ()

    def by_subset(self, part: Sequences) -> dict[str, Sequences]:
        """The units of `part` in each of `subsets` that has any there."""
        found = {name: units_of(part.unit_ids, place) for place, name in enumerate(self.subsets)}
        return {name: part.select_units(units) for name, units in found.items() if len(units)}


def _simulated(options: DatasetOptions, data_dir: Path) -> Source:  # noqa: ARG001  (it reads no files)
    assert isinstance(options, SimulatedOptions)
    return Source([], lambda: {"run_to_failure": simulate_fleet(options).sequences()})


def _turbofan(options: DatasetOptions, data_dir: Path) -> Source:
    assert isinstance(options, TurbofanOptions)
    (subset,) = options.subsets  # several are read one by one
    files = source_files(data_dir, subset)
    return Source([path for path in files if path is not None], lambda: read_turbofan(*files))


def _azure_pm(options: DatasetOptions, data_dir: Path) -> Source:
    assert isinstance(options, AzureOptions)
    files = find_files(data_dir)
    return Source(list(files.values()), lambda: {"run_to_failure": read_azure_pm(files, options.step_hours)})


def _table(options: DatasetOptions, data_dir: Path) -> Source:  # noqa: ARG001  (dataset.path says where it is)
    assert isinstance(options, TableOptions)
    return Source(all_files(options), lambda: {"run_to_failure": read_table_sequences(options)})


# A new data set: its options in options.DATASET_OPTIONS, its source here, its keys in conf/dataset/<name>.yaml.
SOURCES: dict[str, Callable[[DatasetOptions, Path], Source]] = {
    "simulated": _simulated,
    "turbofan": _turbofan,
    "azure_pm": _azure_pm,
    "table": _table,
}


def read_parts(options: DatasetOptions, *, data_dir: Path | str, cache_dir: Path | str | None) -> dict[str, Sequences]:
    """The result of the `read` of the data set's `Source`, from the cache where it is there; None: read anew.

    Raises DataError for missing or wrong files.
    """
    if isinstance(options, TurbofanOptions) and len(options.subsets) > 1:
        return _joined_parts(options, data_dir=data_dir, cache_dir=cache_dir)
    source = SOURCES[options.name](options, Path(data_dir))
    if cache_dir is None:
        return source.read()
    key = content_key(options.reading_options(), source.files)
    return cached(Path(cache_dir), f"{options.name}-{key}", source.read)


def _joined_parts(
    options: TurbofanOptions, *, data_dir: Path | str, cache_dir: Path | str | None
) -> dict[str, Sequences]:
    """The parts of several subsets; the official test set is that of the evaluated ones that have one."""
    read = {name: read_parts(options.alone(name), data_dir=data_dir, cache_dir=cache_dir) for name in options.subsets}
    official = {name: read[name]["official"] for name in options.evaluated if "official" in read[name]}
    parts = {"run_to_failure": join({name: part["run_to_failure"] for name, part in read.items()}, options.subsets)}
    return {**parts, "official": join(official, options.subsets)} if official else parts


def _files(options: DatasetOptions, data_dir: Path | str, *, evaluated: bool = False) -> list[Path]:
    """The files that are read; evaluated: those alone of what is validated and tested.

    Raises DataError where one is missing.
    """
    if isinstance(options, TurbofanOptions):
        names = options.evaluated if evaluated else options.subsets
        each = [SOURCES[options.name](options.alone(name), Path(data_dir)).files for name in names]
        return [path for files in each for path in files]
    return SOURCES[options.name](options, Path(data_dir)).files


def data_content(options: DatasetOptions, data_dir: Path | str) -> str | None:
    """A hash of the bytes of the files of a data set; None where it is made without files.

    Raises DataError for missing files.
    """
    files = _files(options, data_dir)
    return comparison_hash({}, files) if files else None


def data_hash(options: DatasetOptions, *, data_dir: Path | str) -> str:
    """A hash of what is forecast on this data set: of its files and of `comparison_options`.

    Raises DataError for missing files.
    """
    files = _files(options, data_dir, evaluated=True)
    return comparison_hash({"name": options.name, **options.comparison_options()}, files)


def load_dataset(
    dataset_config: Mapping[str, Any],
    *,
    data_dir: Path | str,
    cache_dir: Path | str | None,
    seed: int,
    num_folds: int | None = None,
    fold: int = 0,
) -> Dataset:
    """Read (or find in the cache), split by unit, and scale.

    dataset_config: the keys of the group `dataset`.
    data_dir: the folder with a folder per data set. cache_dir: None to parse anew.
    seed: of the split, where `split_seed` is null. num_folds, fold: as in `split_units`.

    Raises ConfigError for a wrong option or a split with an empty part, DataError for missing or wrong files.
    """
    options = check_dataset_options(dataset_config)
    parts = read_parts(options, data_dir=data_dir, cache_dir=cache_dir)
    units = parts["run_to_failure"]
    split_seed = seed if options.split_seed is None else options.split_seed
    split = _split(units, options, seed=split_seed, num_folds=num_folds, fold=fold)
    training = units.select_units(split.training)
    if not training.event_observed.any():
        raise ConfigError(f"all {training.num_units} training units of {options.name} are censored, none has failed")
    scaler = fit_scaler(training, options.scaling)
    official = parts.get("official")
    test = units.select_units(split.test) if len(split.test) else official
    lacking = _without_official(options, official)
    if not len(split.test) and lacking:
        raise ConfigError(
            f"dataset.test_fraction is 0, which tests on the official test set, but {lacking} has none here; "
            "allowed is a number above 0 and below 1"
        )
    assert test is not None
    return Dataset(
        name=options.name,
        training=scaler.apply(training),
        validation=scaler.apply(units.select_units(split.validation)),
        test=scaler.apply(test),
        official=None if official is None else scaler.apply(official),
        scaler=scaler,
        policy=scaler.apply(units.select_units(split.policy)) if len(split.policy) else None,
        inputs=training_inputs(training),
        subsets=options.evaluated if _is_joined(options) else (),
    )


def _is_joined(options: DatasetOptions) -> TypeGuard[TurbofanOptions]:
    """Whether several subsets are evaluated."""
    return isinstance(options, TurbofanOptions) and len(options.evaluated) > 1


def _without_official(options: DatasetOptions, official: Sequences | None) -> str:
    """What has no official test set: the data set, or the subsets of it; empty where all have one."""
    if official is None:
        return options.name
    if not _is_joined(options):
        return ""
    lacking = [name for place, name in enumerate(options.evaluated) if not len(units_of(official.unit_ids, place))]
    return ", ".join(lacking)


def _split(units: Sequences, options: DatasetOptions, *, seed: int, num_folds: int | None, fold: int) -> Split:
    """The split of `split_units`, by the options of the data set; of several subsets each is split as if alone."""

    def split(ids: NDArray[np.int64], shift: int = 0) -> Split:
        part = units.select_units(ids)
        found = split_units(
            part.unit_ids - shift,
            part.unit_event_observed,
            None if part.group is None else part.unit_groups - shift,
            seed=seed,
            num_folds=num_folds,
            fold=fold,
            test_fraction=options.test_fraction,
            validation_fraction=options.validation_fraction,
            policy_fraction=options.policy_fraction or 0.0,
        )
        return found.shifted(shift)

    if not isinstance(options, TurbofanOptions) or len(options.subsets) == 1:
        return split(units.unit_ids)
    each = [split(units_of(units.unit_ids, place), place * STRIDE) for place in range(len(options.evaluated))]
    only_train = [units_of(units.unit_ids, place) for place in range(len(each), len(options.subsets))]
    return Split.union([*each, *(Split.of_training(ids) for ids in only_train)])

"""Loading of a data set: from the config group `dataset` to scaled training, validation and test units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ddrsa.data.azure.files import find_files, read_azure_pm
from ddrsa.data.cache import cached, comparison_hash, content_key
from ddrsa.data.cmapss.simulated import simulate_fleet
from ddrsa.data.cmapss.turbofan import read_turbofan, source_files
from ddrsa.data.inputs import TrainingInputs, training_inputs
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
from ddrsa.data.splits import split_units
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
    """

    name: str
    training: Sequences
    validation: Sequences
    test: Sequences
    official: Sequences | None
    scaler: Scaler
    inputs: TrainingInputs
    policy: Sequences | None = None


def _simulated(options: DatasetOptions, data_dir: Path) -> Source:  # noqa: ARG001  (it reads no files)
    assert isinstance(options, SimulatedOptions)
    return Source([], lambda: {"run_to_failure": simulate_fleet(options).sequences()})


def _turbofan(options: DatasetOptions, data_dir: Path) -> Source:
    assert isinstance(options, TurbofanOptions)
    files = source_files(data_dir, options.subset)
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
    source = SOURCES[options.name](options, Path(data_dir))
    if cache_dir is None:
        return source.read()
    key = content_key(options.reading_options(), source.files)
    return cached(Path(cache_dir), f"{options.name}-{key}", source.read)


def data_content(options: DatasetOptions, data_dir: Path | str) -> str | None:
    """A hash of the bytes of the files of a data set; None where it is made without files.

    Raises DataError for missing files.
    """
    files = SOURCES[options.name](options, Path(data_dir)).files
    return comparison_hash({}, files) if files else None


def data_hash(options: DatasetOptions, *, data_dir: Path | str) -> str:
    """A hash of what is forecast on this data set: of its files and of `comparison_options`.

    Raises DataError for missing files.
    """
    source = SOURCES[options.name](options, Path(data_dir))
    return comparison_hash({"name": options.name, **options.comparison_options()}, source.files)


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
    split = split_units(
        units.unit_ids,
        units.unit_event_observed,
        None if units.group is None else units.unit_groups,
        seed=seed if options.split_seed is None else options.split_seed,
        num_folds=num_folds,
        fold=fold,
        test_fraction=options.test_fraction,
        validation_fraction=options.validation_fraction,
        policy_fraction=options.policy_fraction or 0.0,
    )
    training = units.select_units(split.training)
    if not training.event_observed.any():
        raise ConfigError(f"all {training.num_units} training units of {options.name} are censored, none has failed")
    scaler = fit_scaler(training, options.scaling)
    official = parts.get("official")
    test = units.select_units(split.test) if len(split.test) else official
    if test is None:
        raise ConfigError(
            f"dataset.test_fraction is 0, which tests on the official test set, but {options.name} has none here; "
            "allowed is a number above 0 and below 1"
        )
    return Dataset(
        name=options.name,
        training=scaler.apply(training),
        validation=scaler.apply(units.select_units(split.validation)),
        test=scaler.apply(test),
        official=None if official is None else scaler.apply(official),
        scaler=scaler,
        policy=scaler.apply(units.select_units(split.policy)) if len(split.policy) else None,
        inputs=training_inputs(training),
    )

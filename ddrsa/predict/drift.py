"""Drift of the inputs against the training, sensor by sensor: python -m ddrsa.predict.drift checkpoint=RUN_DIR ..."""

from __future__ import annotations

import sys

from ddrsa.extras import run_module

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.predict.drift", "models"))  # before the imports that need the extra

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import chdtri

from ddrsa.cli import USAGE_EXIT_CODE, in_one_line
from ddrsa.data.inputs import NUM_SHARES, population_stability
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError, DataError
from ddrsa.predict.options import parse_arguments
from ddrsa.predict.table import write_table
from ddrsa.predict.units import load_run, read_units
from ddrsa.started import subcommand
from ddrsa.texts import count_of, say
from ddrsa.trained import TrainedRun

DRIFTED_EXIT_CODE = 3
# The usual reading of the index.
SHIFTED, DRIFTED = 0.1, 0.25
_CHANCE = 0.05

USAGE = """\
usage: {command} checkpoint=RUN_DIR_OR_FILE dataset.path=FILE [alive=true] [dataset.KEY=VALUE ...] [output=FILE.csv]

Compares the sensors with those of the training, by the population stability index of each: below 0.1 stable, from 0.25
on drifted. Exit code 3 where a sensor that the model reads has drifted, 0 otherwise. The keys are those of
ddrsa predict; part, data_dir and cache_dir too."""

_KEYS = ("checkpoint", "part", "alive", "output", "data_dir", "cache_dir")


@in_one_line
def main(arguments: Sequence[str]) -> int:
    """Compare and print; return the exit code, 2 for what the user can mend, 3 where a sensor has drifted."""
    if not arguments or {"-h", "--help"} & set(arguments):
        say(USAGE.format(command=subcommand("drift")))
        return 0 if arguments else USAGE_EXIT_CODE
    for argument in arguments:
        key = argument.partition("=")[0]
        if key not in _KEYS and not key.startswith("dataset"):
            raise ConfigError(f"{key} is no key of ddrsa drift: allowed are dataset, dataset.KEY, {', '.join(_KEYS)}")
    options, dataset = parse_arguments(arguments)
    run = load_run(options)
    units = read_units(run, dataset, options)
    table = drift_table(run, units)
    if options.output is not None:
        write_table(table, Path(options.output))
    say(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    drifted = table.loc[(table["verdict"] == "drifted") & table["read"], "sensor"]
    rows = f"{count_of(units.num_rows, 'row')} of {count_of(units.num_units, 'unit')}"
    say(f"{rows}; drifted: {', '.join(drifted) or 'none'}")
    return DRIFTED_EXIT_CODE if len(drifted) else 0


def drift_table(run: TrainedRun, units: Sequences) -> pd.DataFrame:
    """A row for each feature of the training, the largest index first.

    Columns: `sensor`; `psi`; `verdict` (stable, shifted, drifted; chance where so few rows may show as much without any
    change); `outside`, the share of rows beyond the range of the training; `median` and `training_median`; `read`,
    whether the model reads it. units: not scaled yet. Raises DataError where the run did not record its inputs.
    """
    known = run.inputs
    if known is None:
        raise DataError(
            f"{run.checkpoint} comes from an earlier version, which did not record its inputs: train it again"
        )
    values = np.asarray(run.selected(units).features, dtype=np.float64)
    index = population_stability(known, values)
    by_chance = float(chdtri(NUM_SHARES - 1, _CHANCE)) / len(values)
    verdict = np.where(index >= DRIFTED, "drifted", np.where(index >= SHIFTED, "shifted", "stable"))
    table = pd.DataFrame(
        {
            "sensor": known.feature_names,
            "psi": index,
            "verdict": np.where((index >= SHIFTED) & (index < by_chance), "chance", verdict),
            "outside": ((values < known.minimum) | (values > known.maximum)).mean(axis=0),
            "median": np.median(values, axis=0),
            "training_median": known.median,
            "read": np.isin(np.arange(len(known.feature_names)), run.scaler.kept),
        }
    )
    return table.sort_values("psi", ascending=False, kind="stable", ignore_index=True)

"""Forecasts and decisions for units by a trained run: python -m ddrsa.predict checkpoint=RUN_DIR output=FILE.csv"""

from __future__ import annotations

import sys

from ddrsa.extras import run_module

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.predict.__main__", "models"))  # before the imports that need the extra

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ddrsa.cli import INTERRUPTED_EXIT_CODE, USAGE_EXIT_CODE
from ddrsa.errors import UsageError
from ddrsa.predict.decision import Decision, find_decision
from ddrsa.predict.forecaster import Forecaster
from ddrsa.predict.options import USAGE, PredictOptions, parse_arguments
from ddrsa.predict.table import prediction_table, write_table
from ddrsa.predict.units import read_units
from ddrsa.started import subcommand
from ddrsa.trained import load_trained

SHOWN_ROWS = 40
WARNED_UNITS = 10


def main(arguments: Sequence[str]) -> int:
    """Predict and write; return the exit code, 2 for what the user can mend."""
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE.format(command=subcommand("predict")))
        return 0 if arguments else USAGE_EXIT_CODE
    try:
        options, dataset = parse_arguments(arguments)
        run = load_trained(
            str(options.checkpoint), device=options.device, data_dir=options.data_dir, cache_dir=options.cache_dir
        )
        sequences = read_units(run, dataset, options)
        decision = find_decision(run, options)
        table = prediction_table(
            Forecaster(run).forecast_sequences(sequences, rows=options.rows), decision, options.level
        )
        if options.output is not None:
            write_table(table, Path(options.output))
    except UsageError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_EXIT_CODE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    _report(table, decision, options)
    return 0


def _report(table: pd.DataFrame, decision: Decision, options: PredictOptions) -> None:
    shown = table.loc[:, [name for name in table.columns if not name.startswith("hazard_")]]
    if options.output is None:
        with pd.option_context("display.width", 200):
            print(_printable(shown.head(SHOWN_ROWS)))
        if len(shown) > SHOWN_ROWS:
            print(f"... {len(shown) - SHOWN_ROWS} more rows; output=FILE.csv writes them all")
    else:
        print(f"{options.output}: {len(table)} rows, {len(table.columns)} columns")
    units = table.loc[table["intervene"].fillna(False), "unit"].nunique()
    threshold = f"{'cost' if decision.policy == 'oti' else 'threshold'} {decision.threshold:.4g}"
    window = "" if decision.window is None else f", window {decision.window}"
    when = "now" if options.rows == "last" else "at some row"
    print(
        f"intervene {when}: {units} of {table['unit'].nunique()} units "
        f"({decision.policy}, {threshold}{window}, {decision.source})"
    )
    _warn(table)


def _printable(table: pd.DataFrame) -> str:
    undecided = table["intervene"].isna()
    # pandas prints a missing truth value in words of its own.
    table = table.assign(intervene=table["intervene"].astype(object).where(~undecided, "-"))
    if table["warnings"].isna().all():
        table = table.drop(columns="warnings")
    return table.to_string(index=False, float_format="%.3f", na_rep="-")


def _warn(table: pd.DataFrame) -> None:
    """One line for each unit with a warning, on stderr; and how many forecasts have none of `intervene`'s answers."""
    of_unit = table.dropna(subset="warnings").groupby("unit", sort=False)["warnings"].first()
    for unit, text in of_unit.head(WARNED_UNITS).items():
        print(f"warning: unit {unit}: {text}", file=sys.stderr)
    if len(of_unit) > WARNED_UNITS:
        print(f"warning: and {len(of_unit) - WARNED_UNITS} more units, see the column warnings", file=sys.stderr)
    undecided = table.loc[table["intervene"].isna(), "unit"].nunique()
    if undecided:
        message = (
            f"{undecided} of {table['unit'].nunique()} units are left undecided (intervene is empty): look at them"
        )
        print(f"warning: {message}", file=sys.stderr)

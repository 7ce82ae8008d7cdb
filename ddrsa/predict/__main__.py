"""Forecasts and decisions for units by a trained run: python -m ddrsa.predict checkpoint=RUN_DIR output=FILE.csv"""

from __future__ import annotations

import sys

from ddrsa.extras import run_module

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.predict.__main__", "models"))  # before the imports that need the extra

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.cli import USAGE_EXIT_CODE, in_one_line
from ddrsa.predict.decision import Decision, find_decision
from ddrsa.predict.forecasts import forecast_units, last_rows, rows_before_failure
from ddrsa.predict.interval import interval_level
from ddrsa.predict.options import USAGE, PredictOptions, parse_arguments
from ddrsa.predict.reasons import Reasoner
from ddrsa.predict.table import prediction_table, write_table
from ddrsa.predict.unit_plots import draw_units
from ddrsa.predict.units import load_run, read_units
from ddrsa.started import subcommand
from ddrsa.texts import count_of, say
from ddrsa.time_scale import TimeScale, time_scale, windows
from ddrsa.time_units import CYCLES

SHOWN_ROWS = 40
SHOWN_REASONS = 20
WARNED_UNITS = 10


@in_one_line
def main(arguments: Sequence[str]) -> int:
    """Predict and write; return the exit code, 2 for what the user can mend."""
    if not arguments or {"-h", "--help"} & set(arguments):
        say(USAGE.format(command=subcommand("predict")))
        return 0 if arguments else USAGE_EXIT_CODE
    options, dataset = parse_arguments(arguments)
    run = load_run(options)
    scale = time_scale(run, options.time_unit)
    ahead = windows(scale, options.within, run.config.horizon)
    decision = find_decision(run, options)
    level = interval_level(run, options.level, options.interval)
    before = _steps_before(options, scale, run.config.horizon)
    units = read_units(run, dataset, options)
    rows = np.arange(units.num_rows) if options.rows == "all" else rows_before_failure(units, before)
    forecasts = forecast_units(run, units, rows, scale)
    reasons, drawn = None, []
    if options.rows == "last":
        reasoner = Reasoner(run, decision, ahead, level, options.explain)
        reasons = reasoner.sentences(units, rows, forecasts)
        if options.plots is not None:
            drawn = draw_units(Path(options.plots), run, units, rows, forecasts, reasons, ahead, level)
    table = prediction_table(forecasts, decision, level, ahead, reasons)
    if options.output is not None:
        write_table(table, Path(options.output))
    _report(table, decision, scale, options, run.config.horizon)
    if drawn:
        say(f"{options.plots}: {count_of(len(drawn), 'picture')}")
    failed = last_rows(units)[units.event_observed[last_rows(units)] & (units.time_to_event[last_rows(units)] == 0)]
    if options.rows == "last" and before and len(failed):
        say(
            f"{len(failed)} of {count_of(units.num_units, 'unit')}: forecast {scale.text(before)} before the failure "
            "that the data have (before=0: at its row)"
        )
    _warn(table)
    return 0


def _steps_before(options: PredictOptions, scale: TimeScale, horizon: int) -> int:
    """How many steps before the failure a unit that was seen to fail is forecast."""
    if options.before is None:
        return horizon // 2
    return 0 if options.before == 0 else math.ceil(scale.steps("before", options.before) - 1e-9)


def _report(table: pd.DataFrame, decision: Decision, scale: TimeScale, options: PredictOptions, horizon: int) -> None:
    shown = table.loc[:, [name for name in table.columns if not name.startswith("hazard_")]]
    if options.output is None:
        say(_printable(shown.head(SHOWN_ROWS)))
        if len(shown) > SHOWN_ROWS:
            say(f"... {count_of(len(shown) - SHOWN_ROWS, 'more row')}; output=FILE.csv writes them all")
    else:
        say(f"{options.output}: {count_of(len(table), 'row')}, {count_of(len(table.columns), 'column')}")
    if options.interval != "model":
        say(f"interval: conformal, {options.level:.0%} of the rows of a new unit, the mean over units")
    say(f"times are in {scale.unit}" + ("" if scale.unit == CYCLES else f", a step is {scale.text(1)}"))
    beyond = table["rul_median"].isna() & table["rul"].notna()
    if beyond.any():
        what = "units" if options.rows == "last" else "rows"
        ahead = scale.text(horizon)
        say(
            f"{beyond.sum()} of {len(table)} {what} are more likely to outlive the {ahead} that the model looks ahead "
            "than not: their rul is cut there"
        )
    due = table.loc[table["intervene"].fillna(False)]
    when = "now" if options.rows == "last" else "at some row"
    units = count_of(table["unit"].nunique(), "unit")
    say(f"intervene {when}: {due['unit'].nunique()} of {units} ({decision.told(scale)})")
    if "reason" in table:
        urgent = table.sort_values("act_within", kind="stable", na_position="last")
        urgent = urgent[urgent["intervene"].fillna(False)].head(SHOWN_REASONS)
        for reason, drivers in zip(urgent["reason"], urgent["drivers"], strict=True):
            say(f"  {reason}{'' if pd.isna(drivers) else f' (RUL driven by {drivers})'}")


def _printable(table: pd.DataFrame) -> str:
    undecided = table["intervene"].isna()
    # pandas prints a missing truth value in words of its own.
    table = table.assign(intervene=table["intervene"].astype(object).where(~undecided, "-"))
    if table["warnings"].isna().all():
        table = table.drop(columns="warnings")
    # Said below the table, or in its heading.
    table = table.drop(
        columns=[name for name in ("reason", "time_unit", "rul_lower_date", "rul_upper_date") if name in table]
    )
    for column in table.select_dtypes(["datetime", "datetimetz"]):
        table[column] = table[column].dt.strftime("%Y-%m-%d %H:%M")
    return table.to_string(index=False, float_format="%.3f", na_rep="-")


def _warn(table: pd.DataFrame) -> None:
    """One line for each unit with a warning, on stderr; and how many forecasts have none of `intervene`'s answers."""
    of_unit = table.dropna(subset="warnings").groupby("unit", sort=False)["warnings"].first()
    for unit, text in of_unit.head(WARNED_UNITS).items():
        say(f"warning: unit {unit}: {text}", to=sys.stderr)
    if len(of_unit) > WARNED_UNITS:
        say(
            f"warning: and {count_of(len(of_unit) - WARNED_UNITS, 'more unit')}, see the column warnings", to=sys.stderr
        )
    undecided = table.loc[table["intervene"].isna(), "unit"].nunique()
    if undecided:
        units = count_of(table["unit"].nunique(), "unit")
        message = f"{undecided} of {units} left undecided (intervene is empty): look at them"
        say(f"warning: {message}", to=sys.stderr)

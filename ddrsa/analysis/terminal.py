"""What `analyze.py` prints. Readable in 80 columns, and without a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.run_state import UNREADABLE
from ddrsa.analysis.tables import CRITERIA, shown_swept

# What needs a look: these runs have no result, and did not mean to end so.
_FAILURES = ("failed", "timed_out", "killed", "interrupted", UNREADABLE)

_LABELS = {"rul_mae": "MAE", "rul_rmse": "RMSE", "concordance_index": "C-index"}


def print_states(console: Console, sweep: Sweep) -> None:
    """A line with the counts by state, then the failures with their reason and their log."""
    counts = ", ".join(f"{count} {state}" for state, count in sweep.runs["state"].value_counts().items())
    _line(console, f"{sweep.path}: {len(sweep.runs)} run{'s' * (len(sweep.runs) > 1)}: {counts}")
    failures = sweep.runs[sweep.runs["state"].isin(_FAILURES)]
    if not failures.empty:
        console.print()
    for run in failures.to_dict("records"):
        _line(console, f"{run['state']}: {run['directory']}")
        _line(console, f"  {run['reason'] or 'no reason is given in status.json'}")
        _line(console, f"  log: {run['log'] or 'there is no run.log'}")


def print_best(console: Console, sweep: Sweep, best: pd.DataFrame) -> None:
    """The table of the best configurations, and what has none."""
    if not best.empty:
        _line(console, "\nBest configurations on the test data (MAE and RMSE in cycles)")
        console.print(_best_table(sweep, best))
    for dataset, model in sorted(set(zip(sweep.completed["dataset"], sweep.completed["model"], strict=True))):
        found = best[(best["dataset"] == dataset) & (best["model"] == model)]["criterion"]
        missing = [criterion for criterion in CRITERIA if criterion not in set(found)]
        if missing:
            _line(console, f"No completed run of {dataset}, {model} has a number for {', '.join(missing)}.")


def print_files(console: Console, paths: list[Path], left_out: list[str]) -> None:
    """Where the files are, and which plots were not drawn."""
    _line(console, "\nWritten:")
    for path in paths:
        _line(console, f"  {path}")
    for name in left_out:
        _line(console, f"Not drawn: {name}: no completed run has the metrics that it shows.")


def _line(console: Console, text: str) -> None:
    # Not wrapped by rich: a path must stay whole to be copied.
    console.print(text, soft_wrap=True)


def _best_table(sweep: Sweep, best: pd.DataFrame) -> Table:
    swept = shown_swept(sweep)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Data set\nmodel", overflow="fold")
    table.add_column("Best by", no_wrap=True)
    for label in _LABELS.values():
        table.add_column(label, justify="right", no_wrap=True)
    if swept:
        table.add_column("Configuration", overflow="fold")
    for (dataset, model), group in best.groupby(["dataset", "model"], sort=False):
        name = f"{dataset}\n{model}"
        # A run that is the best by several criteria takes one row.
        for _, rows in group.groupby("directory", sort=False):
            run = rows.iloc[0]
            criteria = "\n".join(_LABELS[criterion] for criterion in rows["criterion"])
            cells = [name, criteria, *(_number(run[metric]) for metric in _LABELS)]
            if swept:
                # A key that this run does not have (NaN) belongs to another model or data set.
                cells.append("\n".join(f"{key}={run[key]}" for key in swept if not pd.isna(run[key])))
            table.add_row(*cells)
            name = ""
        table.add_section()
    return table


def _number(value: Any) -> str:
    return f"{float(value):.4g}"

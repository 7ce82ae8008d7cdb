"""Output of `analyze.py`, readable in 80 columns and without a terminal."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrsa.analysis.analysis import Analysis
from ddrsa.analysis.answer import Answer
from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.commands import settings
from ddrsa.analysis.metrics import UNITS, column
from ddrsa.analysis.planned import not_begun
from ddrsa.analysis.plots.drawn import Plots
from ddrsa.analysis.races import Race, apart
from ddrsa.analysis.sentences import number, sentences
from ddrsa.rundir.race_record import RaceResult
from ddrsa.rundir.states import State
from ddrsa.texts import printable

# More failures than this are in failures.csv.
_MOST_FAILURES = 20

# The metrics of the table, by their short names.
_SHOWN = {"NLL": "nll", "MAE": "rul_mae", "RMSE": "rul_rmse", "C-index": "concordance_index"}


def print_states(console: Console, sweep: Sweep) -> None:
    """A line with the counts by state for each sweep, then the failures with their reason and their log."""
    for name, path in sweep.sources.items():
        states = sweep.runs.loc[sweep.runs["sweep"] == name, "state"]
        counts = ", ".join(f"{count} {state}" for state, count in states.value_counts().items())
        _line(console, f"{path}: {len(states)} run{'s' * (len(states) > 1)}: {counts}{_not_begun(sweep, name)}")
    failures = sweep.runs[[State(each).needs_a_look for each in sweep.runs["state"]]]
    if not failures.empty:
        console.print()
    for run in failures.head(_MOST_FAILURES).to_dict("records"):
        _line(console, f"{run['state']}: {run['directory']}")
        _line(console, f"  {run['reason'] or 'no reason is given in status.json'}")
        _line(console, f"  log: {run['log'] or 'there is no run.log'}")
    if len(failures) > _MOST_FAILURES:
        _line(console, f"and {len(failures) - _MOST_FAILURES} more: failures.csv has them all")


def _not_begun(sweep: Sweep, name: str) -> str:
    count = not_begun(sweep, name)
    return f"; {count} more {'is' if count == 1 else 'are'} planned and not begun" if count else ""


def print_answers(console: Console, analysis: Analysis) -> None:
    """What a race says itself; then, for each data set, the answer, the best of each model, what to run next."""
    for race in analysis.races:
        console.print()
        if race.result is not None:
            _line(console, f"{race.basis}, in {race.directory}:")
        console.print(printable(race.words))
        if race.result is not None:
            console.print(_race_table(race, race.result))
    if analysis.races:
        console.print(apart(analysis.criterion))
    for answer in analysis.answers:
        console.print()
        for sentence in sentences(answer):
            console.print(sentence)
        if answer.by_model:
            console.print(_best_table(answer))
        for step in answer.next_steps:
            _line(console, f"To {step.reason}:")
            for command in step.commands:
                _line(console, f"  {command}")
        if answer.command is not None:
            _line(console, f"To {answer.command_does} (best.yaml):")
            _line(console, f"  {answer.command}")


def print_files(console: Console, paths: list[Path], plots: Plots, of_models: Container[str] = ()) -> None:
    """Print where the files are, and which plots were not drawn.

    of_models: plots that need no reason of their own, as the runs are no models of the project.
    """
    _line(console, "\nWritten:")
    for path in paths:
        _line(console, f"  {path}")
    for plot in plots.drawn:
        _line(console, f"  {plot.png}, .svg")
    without_a_reason = [left_out.name for left_out in plots.left_out if left_out.name in of_models]
    if without_a_reason:
        _line(console, f"Not drawn, as these runs are no models of ddrsa: {', '.join(without_a_reason)}")
    for left_out in plots.left_out:
        if left_out.name in of_models:
            continue
        _line(console, f"Not drawn: {left_out.name}: {left_out.reason}")


def _line(console: Console, text: str) -> None:
    # Not wrapped by rich: a path must stay whole to be copied.
    console.print(text, soft_wrap=True)


def _race_table(race: Race, result: RaceResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=race.caption)
    table.title_justify = "left"
    for name in ("Place", "Repeats", f"Mean {result.objective}", "Behind", "Interval"):
        table.add_column(name, justify="left" if name == "Place" else "right")
    table.add_column("Configuration", overflow="fold", min_width=20)
    for each in result.standings:
        known = each.low is not None and each.high is not None
        interval = f"{each.low:.3g} to {each.high:.3g}" if known else "-"
        numbers = ("-" if value is None else f"{value:.4g}" for value in (each.mean, each.behind))
        table.add_row(each.place, str(each.repeats), *numbers, interval, Text(printable(each.configuration)))
    return table


def _best_table(answer: Answer) -> Table:
    units = answer.select_by
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=f"The best of each model, {UNITS[units]}")
    table.title_justify = "left"
    table.add_column("Model", overflow="fold")
    # The metric that selects stands first, if it is none of the usual three.
    shown = {} if answer.metric in _SHOWN.values() else {answer.metric.replace("_", " "): answer.metric}
    shown |= _SHOWN
    known = {name for candidate in answer.by_model for name in candidate.metrics}
    shown = {label: name for label, name in shown.items() if column(name, units) in known}
    for label in shown:
        table.add_column(label, justify="right")
    pairs = [pair for candidate in answer.by_model for pair in settings(candidate.values)]
    table.add_column("Configuration", overflow="fold", min_width=min(40, max(map(len, pairs), default=0)))
    for candidate in answer.by_model:
        found = (candidate.metrics.get(column(name, units)) for name in shown.values())
        cells = ["-" if one is None else number(one) for one in found]
        table.add_row(candidate.model, *cells, "\n".join(settings(candidate.values)))
    return table

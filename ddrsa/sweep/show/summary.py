"""End-of-sweep summary: counts by state, the best runs, and failed runs with their log paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import nested
from ddrsa.rundir.states import State
from ddrsa.sweep.show.run_view import RunView, shown_counts

BEST_RUNS = 5
SHOWN_FAILURES = 20

RETURN_VALUE = "value"


def print_summary(
    console: Console,
    runs: Sequence[RunView],
    values: Mapping[Path, Any] | None = None,
    print_best: Callable[[Console], None] | None = None,
    rank_by: Mapping[str, str] | None = None,
) -> None:
    """Print how many runs ended how, the best of them, lowest first, and the failures.

    values: what the tasks returned, by run directory: the criterion where the runs have none of `rank_by`.
    print_best: prints the best in another way: those of a search. rank_by: `Presentation.rank_by`.
    """
    console.print(f"{len(runs)} runs: {shown_counts(runs)}", highlight=False)
    if print_best is None:
        _print_best(console, runs, values or {}, rank_by or {})
    else:
        print_best(console)
    failures = [run for run in runs if run.state.has_failed]
    if failures:
        console.print(_heading(f"{len(failures)} of {len(runs)} runs failed"))
        for run in failures[:SHOWN_FAILURES]:
            console.print(Text(f"  {run.state.words}: {run.name}: {run.reason}"))
            console.print(Text(f"    {os.path.relpath(RunDirectory(run.directory).log)}"), soft_wrap=True)
        if len(failures) > SHOWN_FAILURES:
            console.print(f"  and {len(failures) - SHOWN_FAILURES} more: see all_results.json")


def _print_best(
    console: Console, runs: Sequence[RunView], values: Mapping[Path, Any], rank_by: Mapping[str, str]
) -> None:
    criterion, best = best_runs(runs, values, rank_by)
    if best:
        console.print(_best_table(criterion, best, len(runs)))
        # A path that is broken in two cannot be copied.
        console.print(Text(f"the best: {os.path.relpath(best[0][1].directory)}"), soft_wrap=True)


def best_runs(
    runs: Sequence[RunView], values: Mapping[Path, Any], rank_by: Mapping[str, str]
) -> tuple[str, list[tuple[float, RunView]]]:
    """The title of the criterion of all judged runs, and the completed runs that have it, the lowest value first."""
    found: dict[str, list[tuple[float, RunView]]] = {title: [] for title in [*rank_by.values(), RETURN_VALUE]}
    for run in {run.directory: run for run in runs if run.state is State.COMPLETED}.values():
        for criterion, number in _criteria(run, values.get(run.directory), rank_by).items():
            if isinstance(number, int | float) and not isinstance(number, bool) and number == number:
                found[criterion].append((float(number), run))
    criterion = next((name for name, ranked in found.items() if ranked), RETURN_VALUE)
    return criterion, sorted(found[criterion], key=lambda each: each[0])


def _criteria(run: RunView, value: Any, rank_by: Mapping[str, str]) -> dict[str, Any]:
    directory = RunDirectory(run.directory)
    try:
        metrics = directory.read_test_metrics() or {}
    except ValueError:
        metrics = {}  # a damaged file has no number to compare; the run itself stands among the completed
    returned = directory.status_or_empty().get("return_value") if value is None else value
    return {**{title: nested(metrics, key) for key, title in rank_by.items()}, RETURN_VALUE: returned}


def _best_table(criterion: str, best: Sequence[tuple[float, RunView]], total: int) -> Table:
    title = f"best {min(BEST_RUNS, len(best))} of {total} runs" if len(best) > 1 else f"best of {total} runs"
    table = Table(box=None, padding=(0, 2, 0, 0), title=_heading(title), title_justify="left", header_style="dim")
    table.add_column(criterion, justify="right", no_wrap=True)
    table.add_column("run", overflow="fold")
    for number, run in best[:BEST_RUNS]:
        table.add_row(f"{number:.4f}", Text(run.name))
    return table


def _heading(text: str) -> Text:
    return Text(text, style="bold")

"""End-of-sweep summary: counts by state, the best runs, and failed runs with their log paths."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import nested
from ddrsa.rundir.finite import finite
from ddrsa.rundir.returned import kept_value
from ddrsa.rundir.states import State
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.show.run_view import RunView, shown_counts
from ddrsa.texts import count_of

BEST_RUNS = 5
SHOWN_FAILURES = 20

RETURN_VALUE = "value"


def print_summary(
    console: Console,
    runs: Sequence[RunView],
    values: Mapping[Path, Any] | None = None,
    print_best: Callable[[Console], None] | None = None,
    shown: Presentation | None = None,
    metrics_of: Callable[[Path], Mapping[str, Any]] | None = None,
) -> None:
    """Print how many runs ended how, the best of them, and the failures.

    Of runs that cannot be compared with one another, the best of each kind.

    values: what the tasks returned, by run directory: the criterion where the runs have none of `rank_by`.
    print_best: prints the best in another way: those of a search. shown: by what runs are ranked, and compared.
    metrics_of: the metrics of a run, by its directory; None to read them.
    """
    console.print(f"{count_of(len(runs), 'run')}{': ' if runs else ''}{shown_counts(runs)}", highlight=False)
    if print_best is None:
        _print_best(console, runs, values or {}, shown or Presentation(), metrics_of or _read_metrics)
    else:
        print_best(console)
    _print_left_out(console, runs)
    failures = [run for run in runs if run.state.has_failed]
    if failures:
        console.print(_heading(f"{len(failures)} of {count_of(len(runs), 'run')} failed"))
        for run in failures[:SHOWN_FAILURES]:
            console.print(Text(f"  {run.state.words}: {run.name}: {run.reason}"))
            console.print(Text(f"    {os.path.relpath(RunDirectory(run.directory).log)}"), soft_wrap=True)
        if len(failures) > SHOWN_FAILURES:
            console.print(f"  and {len(failures) - SHOWN_FAILURES} more: see all_results.json")


def _print_left_out(console: Console, runs: Sequence[RunView]) -> None:
    """Say what the tasks have returned that is in no file."""
    left_out = [run.status["return_value_left_out"] for run in runs if run.status.get("return_value_left_out")]
    if left_out:
        # Each once: runs of different kinds may leave out different things.
        distinct = list(dict.fromkeys(str(each) for of_run in left_out for each in of_run))
        shown = ", ".join([*distinct[:SHOWN_FAILURES], *(["..."] if len(distinct) > SHOWN_FAILURES else [])])
        text = f"of what {len(left_out)} of {count_of(len(runs), 'run')} returned this cannot be kept: {shown}"
        console.print(Text(text), soft_wrap=True)


def _print_best(
    console: Console,
    runs: Sequence[RunView],
    values: Mapping[Path, Any],
    shown: Presentation,
    metrics_of: Callable[[Path], Mapping[str, Any]],
) -> None:
    keys = [*shown.rank_by, *([] if shown.comparable_by is None else [shown.comparable_by])]
    completed = [run.directory for run in runs if run.state is State.COMPLETED]
    known = {directory: _metrics(metrics_of(directory), keys) for directory in completed}  # each file read once
    groups = comparable_groups(runs, shown.comparable_by, known)
    if len(groups) > 1:
        console.print(f"the runs measure {len(groups)} different things, and are ranked among those alike alone:")
    for what, group in groups.items():
        criterion, best = best_runs(group, values, shown, known)
        if best:
            shown_runs = f"{min(BEST_RUNS, len(best))} of" if len(best) > 1 else "of"
            title = f"best {shown_runs} {count_of(len(group), 'run')}"
            console.print(_heading(f"{title}: {what}" if what else title))
            console.print(_best_table(criterion, best))
            # A path that is broken in two cannot be copied.
            console.print(Text(f"the best: {os.path.relpath(best[0][1].directory)}"), soft_wrap=True)


def comparable_groups(
    runs: Sequence[RunView], comparable_by: str | None, metrics: Mapping[Path, Mapping[str, Any]]
) -> dict[str, list[RunView]]:
    """The runs that can be compared, by what they have in common and the others have not; "" where all can be.

    comparable_by: `Presentation.comparable_by`. A run that says nothing of it goes with the first that does.
    metrics: of the completed runs, by directory and key.
    """
    said = [(run, metrics.get(run.directory, {}).get(comparable_by or "")) for run in runs]
    known = {repr(value): value for _, value in said if value is not None}
    if len(known) < 2:
        return {"": list(runs)}
    names = _differences(list(known.values()))
    groups: dict[str, list[RunView]] = {name: [] for name in names}
    by_value = dict(zip(known, names, strict=True))
    for run, value in said:
        groups[names[0] if value is None else by_value[repr(value)]].append(run)
    return groups


def _differences(values: Sequence[Any]) -> list[str]:
    """For each of the values, which are different, those of its entries that are not the same in all."""
    if not all(isinstance(value, Mapping) for value in values):
        return [str(value) for value in values]
    keys = list(dict.fromkeys(key for value in values for key in value))
    differing = [key for key in keys if len({repr(value.get(key)) for value in values}) > 1]
    return [", ".join(f"{key.replace('_', ' ')} {value.get(key)}" for key in differing) for value in values]


def best_runs(
    runs: Sequence[RunView],
    values: Mapping[Path, Any],
    shown: Presentation,
    metrics: Mapping[Path, Mapping[str, Any]] | None = None,
) -> tuple[str, list[tuple[float, RunView]]]:
    """The title of the criterion of all judged runs, and the completed runs that have it, the best first.

    Metrics of `rank_by` are better the lower they are; what the task returned is as `Presentation.highest_first` says.
    metrics: as for `comparable_groups`; None to read them.
    """
    rank_by, of_task = shown.rank_by, shown.value_name or RETURN_VALUE
    found: dict[str, list[tuple[float, RunView]]] = {title: [] for title in [*rank_by.values(), of_task]}
    for run in {run.directory: run for run in runs if run.state is State.COMPLETED}.values():
        own = _metrics(_read_metrics(run.directory), list(rank_by)) if metrics is None else metrics[run.directory]
        for criterion, number in _criteria(run, values.get(run.directory), rank_by, of_task, own).items():
            if isinstance(number, int | float) and not isinstance(number, bool) and not math.isnan(finite(number)):
                found[criterion].append((float(number), run))
    criterion = next((name for name, ranked in found.items() if ranked), of_task)
    highest_first = criterion == of_task and shown.highest_first
    title = f"{criterion} ({'highest' if highest_first else 'lowest'} first)"
    return title, sorted(found[criterion], key=lambda each: -each[0] if highest_first else each[0])


def _criteria(
    run: RunView, value: Any, rank_by: Mapping[str, str], of_task: str, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    kept, _ = kept_value(value)  # a number may be an array of no dimension
    returned = RunDirectory(run.directory).status_or_empty().get("return_value") if kept is None else kept
    return {**{title: metrics[key] for key, title in rank_by.items()}, of_task: returned}


def _metrics(metrics: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The metrics of these dotted keys; None for those that it does not have."""
    return {key: nested(metrics, key) for key in keys}


def _read_metrics(directory: Path) -> Mapping[str, Any]:
    try:
        return RunDirectory(directory).read_test_metrics() or {}
    except ValueError:
        return {}  # a damaged file has no number to compare; the run itself stands among the completed


def _best_table(criterion: str, best: Sequence[tuple[float, RunView]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(criterion, justify="right", no_wrap=True)
    table.add_column("run", overflow="fold")
    for number, run in best[:BEST_RUNS]:
        table.add_row(f"{number:.6g}", Text(run.name))
    return table


def _heading(text: str) -> Text:
    return Text(text, style="bold")

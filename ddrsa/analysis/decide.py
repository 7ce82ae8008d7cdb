"""The decision: from the table of runs to the answer for each data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ddrsa.analysis.against_baselines import against_baselines, compared_on_units
from ddrsa.analysis.answer import CLEAR, NOISE, ONLY, UNKNOWN, Answer
from ddrsa.analysis.candidates import Candidate, candidate, distinct_values
from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.commands import run_of, train_again
from ddrsa.analysis.configurations import Configurations
from ddrsa.analysis.criterion import Criterion
from ddrsa.analysis.edges import Edge, find_edge
from ddrsa.analysis.foreign import NO_STATUS
from ddrsa.analysis.looks import Looks, looks_at
from ddrsa.analysis.metrics import BASELINES, SELECT_BY, column
from ddrsa.analysis.next_steps import next_steps
from ddrsa.analysis.policy_sentences import policy_sentences
from ddrsa.analysis.read_run import NO_NAME
from ddrsa.analysis.statistics import AtTheEnd, Difference, Repeats, pooled_noise
from ddrsa.analysis.time_units import TimeUnit
from ddrsa.texts import count_of

# The noise between repeats is taken from at least so many of the best configurations, where there are so many.
_FEWEST_FOR_NOISE = 5


def answers(
    sweep: Sweep, criterion: Criterion, configurations: Configurations | None = None, *, looks: bool = False
) -> list[Answer]:
    """The answer for each data set, in alphabetical order. looks: its margin holds at every look, see `Looks`.

    Raises ConfigError where the metric of `criterion` is none that the completed runs have.
    """
    criterion.check(sweep)
    configurations = configurations or Configurations(sweep)
    known = {column for column in (criterion.column,) if column in sweep.metrics}
    values = configurations.by_repeat(criterion.column) if known else {}
    # Of a run whose config cannot be read, no data set is known: it is a failure, not a question.
    datasets = set(sweep.runs["dataset"]) - {NO_NAME} | set(sweep.completed["dataset"]) or {NO_NAME}
    return [_answer(sweep, criterion, configurations, values, dataset, looks) for dataset in sorted(datasets)]


def _answer(
    sweep: Sweep,
    criterion: Criterion,
    configurations: Configurations,
    values: dict[int, dict[tuple[Any, ...], float]],
    dataset: str,
    looks: bool,
) -> Answer:
    runs = sweep.runs[sweep.runs["dataset"] == dataset]
    ranked = configurations.ranked(criterion.column, dataset, higher_is_better=criterion.higher_is_better)
    basis: dict[str, Any] = {
        "dataset": dataset,
        "metric": criterion.metric,
        "select_by": criterion.select_by,
        "higher_is_better": criterion.higher_is_better,
        "states": dict(Counter(runs["state"])),
        "configurations": int((configurations.table["dataset"] == dataset).sum()),
    }
    if not ranked:
        return Answer(**basis, notes=[_why_none(sweep, criterion, dataset), *_apart(sweep, dataset)])

    best = candidate(configurations, ranked[0], criterion.column)
    # The better half: a configuration that diverges is noisier than those that are to be told apart.
    better_half = [values[number] for number in ranked[: max(_FEWEST_FOR_NOISE, (len(ranked) + 1) // 2)]]
    compared = looks_at(sweep, better_half) if looks else AtTheEnd(pooled_noise(better_half))
    margins = [_margin(values[ranked[0]], values[other], criterion, compared) for other in ranked[1:]]
    margin = margins[0] if margins else None
    first = configurations.runs_of(ranked[0]).iloc[0]
    edges = _edges(configurations, best, criterion.column)
    again = run_of(best.directories[0], sweep.path)
    does, command = train_again(again, {**best.values, "model": best.model}, first.get("num_epochs"))
    partial = Answer(
        **basis,
        best=best,
        runner_up=candidate(configurations, ranked[1], criterion.column) if margins else None,
        test=best.metrics.get(criterion.metric),
        test_interval=_test_interval(sweep, dataset, best.directories[0], criterion.metric)
        if len(best.directories) == 1
        else None,
        margin=margin,
        looks=compared.comparisons if isinstance(compared, Looks) else None,
        on_units=compared_on_units(configurations, ranked[0], ranked[1], criterion, sweep) if margins else None,
        baselines=against_baselines(configurations, ranked, criterion, sweep),
        policy=policy_sentences(sweep.path / best.directories[0]),
        verdict=_verdict(margin),
        tied=sum(other.is_clear is False for other in margins),
        untested=sum(other.is_clear is None for other in margins),
        by_model=[
            candidate(configurations, number, criterion.column)
            for number in _first_of_each(ranked, configurations.table["model"])
        ],
        edges=edges,
        command=command,
        command_does=does,
        notes=[
            *_apart(sweep, dataset),
            *_no_better(configurations, ranked, best, criterion),
            *_notes(configurations, ranked, best),
        ],
    )
    return replace(partial, next_steps=next_steps(sweep, partial))


def _first_of_each(ranked: Sequence[int], models: Any) -> list[int]:
    first: dict[str, int] = {}
    for number, model in zip(ranked, models.loc[list(ranked)], strict=True):
        if model != NO_NAME:  # the runs of another app name none
            first.setdefault(model, number)
    return list(first.values())


def _margin(best: Repeats, other: Repeats, criterion: Criterion, compared: AtTheEnd | Looks) -> Difference:
    """How much worse `other` is than `best`."""
    return compared.difference(*((other, best) if criterion.higher_is_better else (best, other)))


def _verdict(margin: Difference | None) -> str:
    if margin is None:
        return ONLY
    return {None: UNKNOWN, True: CLEAR, False: NOISE}[margin.is_clear]


def _edges(configurations: Configurations, best: Candidate, selected: str) -> list[Edge]:
    # Of every run that was begun: a value that failed (out of memory, say) was tried too.
    runs = configurations.sweep.runs
    alike = runs[(runs["dataset"] == best.dataset) & (runs["model"] == best.model)]
    keys = [key for key in best.values if key != "sweep" and not _is_indifferent(configurations, best, key, selected)]
    found = (find_edge(key, best.values[key], distinct_values(alike[key])) for key in keys)
    return [edge for edge in found if edge is not None]


def _is_indifferent(configurations: Configurations, best: Candidate, key: str, selected: str) -> bool:
    """Whether configurations that differ from the best in this key alone are exactly as good: its model has no use
    for it.
    """
    table = configurations.table
    same = (table["dataset"] == best.dataset) & (table["model"] == best.model)
    for other, value in best.values.items():
        if other != key:
            same &= np.array([bool(each == value) for each in table[other].tolist()])
    means = configurations.means.loc[same, selected].dropna()
    return len(means) > 1 and bool((means == means.iloc[0]).all())


def _test_interval(sweep: Sweep, dataset: str, directory: str, name: str) -> tuple[float, float] | None:
    found = sweep.intervals.get(directory, {}).get(name)
    if found is None:
        return None
    unit = sweep.time_units.get(dataset, TimeUnit())
    return unit.told(name, found[0]), unit.told(name, found[1])


def _why_none(sweep: Sweep, criterion: Criterion, dataset: str) -> str:
    completed = sweep.completed[sweep.completed["dataset"] == dataset]
    if completed.empty and sweep.runs["reason"].astype(str).str.contains(NO_STATUS).any():
        return (
            "Hydra's own launchers do not keep what a run returned, and these left no number in a JSON file of their "
            "directory; hydra/launcher=supervised keeps it"
        )
    if completed.empty:
        return "no run has completed yet, so there is nothing to choose from"
    for other in SELECT_BY:
        name = column(criterion.metric, other)
        if name in completed and completed[name].notna().any():
            return f"no completed run has {criterion.metric} {criterion.units}; select_by={other} has it"
    known = ", ".join(sorted(sweep.quality_metrics))
    if not known:
        return "no completed run has returned a number, or left one in a JSON file of its directory"
    return f"no completed run has a number for {criterion.metric}; choose another with metric=NAME, these have {known}"


def _apart(sweep: Sweep, dataset: str) -> list[str]:
    return [sweep.apart[dataset]] if dataset in sweep.apart else []


def _no_better(
    configurations: Configurations, ranked: Sequence[int], best: Candidate, criterion: Criterion
) -> list[str]:
    """What the best, and how many others, do no better than a forecast without any sensor."""
    notes = []
    for name, words in BASELINES.items():
        by = column(name, criterion.select_by)
        if by in best.metrics and best.metrics[by].mean <= 0:
            notes.append(f"its {words}, {criterion.units}")
        known = by in configurations.means
        failing = int((configurations.means.loc[list(ranked[1:]), by] <= 0).sum()) if known else 0
        if failing:
            notes.append(f"of {failing} of {count_of(len(ranked) - 1, 'other configuration')} the {words}")
    return notes


def _notes(configurations: Configurations, ranked: Sequence[int], best: Candidate) -> list[str]:
    notes = []
    most = int(configurations.table.loc[list(ranked), "n"].max())
    if len(best.directories) < most:
        notes.append(
            f"the best has {len(best.directories)} of the {most} repeats that others have: its mean may be luck until "
            "the rest have ended"
        )
    if best.selected.n < len(best.directories):
        notes.append(f"{len(best.directories) - best.selected.n} of the best's runs have no number for this metric")
    return notes

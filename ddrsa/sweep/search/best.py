"""Best trial of a search, and the command that trains it again in full: `python -m ddrsa.sweep best DIR`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial

from ddrsa.errors import UsageError
from ddrsa.overrides import override_parts
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.started import as_grid_beside, as_one_run, is_of_scripts, sweep_starter
from ddrsa.sweep.search.repeats import shown_values
from ddrsa.sweep.search.saved import read_search
from ddrsa.sweep.search.study import find_study
from ddrsa.sweep.search.summary import SearchSummary, best_trials, objective_titles, shown_infeasible, shown_states
from ddrsa.sweep.search.trials import job_of
from ddrsa.texts import count_of, printable


def show(text: str) -> None:
    """Print a text that may come from a directory or a study."""
    print(printable(text))


def print_best(sweep_dir: Path | str, storage: str | None = None) -> int:
    """Print the best trial of the search in `sweep_dir`; of several objectives, each trial of the Pareto front.

    storage: URL or path of the study, where the directory does not say it in a way that is taken from a directory.
    Returns the exit code: 0, or 1 where no trial has completed. Raises UsageError where there is no search.
    """
    sweep_dir = Path(sweep_dir).absolute()
    search = read_search(sweep_dir, storage)
    study = find_study(search.address)
    if study is None:
        raise UsageError(f"{sweep_dir}: the study of this search has not been started")
    titles = objective_titles(search.objective, len(study.directions))
    best = best_trials(study)
    if not best:
        show(shown_infeasible(study) or f"no trial has completed: {shown_states(study)}")
        return 1
    if excluded := shown_infeasible(study):
        show(excluded)
    command = sweep_starter(sweep_dir)
    if len(titles) > 1:
        show(f"the Pareto front: {count_of(len(best), 'trial')}, which no other beats in all objectives")
    for trial in best if len(titles) > 1 else best[:1]:
        _print_trial(trial, titles, sweep_dir, command)
    return 0


def summary_of(sweep_dir: Path) -> SearchSummary | None:
    """The best trials of the search in `sweep_dir`; None where there is no study. Raises UsageError as `print_best`."""
    search = read_search(sweep_dir)
    study = find_study(search.address)
    return None if study is None else SearchSummary(study, sweep_dir, search.objective)


def _print_trial(trial: FrozenTrial, titles: Sequence[str], sweep_dir: Path, command: Sequence[str]) -> None:
    show(f"trial {trial.number}")
    for title, value in zip(titles, trial.values, strict=True):
        show(f"  {title}: {value:.6g}")
    for name, value in trial.params.items():
        show(f"  {name}={value}")
    if directory := job_of(trial).get("directory"):
        show(f"  {os.path.relpath(sweep_dir / directory)}")
    overrides = job_of(trial).get("overrides")
    if overrides is None:
        # Of another program at the same study: what was fixed there is not known.
        show("the overrides of its job are not in the study, so there is no command that trains it again")
        return
    repeats = job_of(trial).get("repeats") or {}
    if repeats:
        # The trial is all of these runs.
        of_repeats = [f"{key}={shown_values(values)}" for key, values in repeats.items()]
        overrides = [text for text in overrides if override_parts(text)[0] not in repeats]
        overrides = ["-m", *as_grid_beside(sweep_dir)[0], *overrides, *of_repeats]
    else:
        overrides = [*overrides, *as_one_run(sweep_dir / CONFIG, is_script=is_of_scripts(sweep_dir))]
    show("train it again, in full:")
    show(f"  {shlex.join([*command, *overrides])}")

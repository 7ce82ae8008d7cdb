"""Summary of a search: its best trials, printed and written, and the preview that a dry run prints."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrsa.rundir.directory import find_runs
from ddrsa.rundir.files import atomic_write
from ddrsa.started import subcommand
from ddrsa.sweep.search import compat_optuna
from ddrsa.sweep.search.config import OptunaSweeperConf
from ddrsa.sweep.search.space import SearchSpace, choice_text, in_words
from ddrsa.sweep.search.study import StudyAddress, find_study
from ddrsa.sweep.search.trials import counts, job_of
from ddrsa.sweep.show.estimate import durations_of, shown_duration
from ddrsa.sweep.show.run_view import RunView
from ddrsa.texts import count_of

RESULTS = "optimization_results.yaml"
BEST_TRIALS = 5


class SearchSummary:
    """The best trials of a study."""

    def __init__(self, study: optuna.Study, sweep_dir: Path, objective: str | Sequence[str] | None) -> None:
        self.study = study
        self.sweep_dir = sweep_dir
        self.titles = objective_titles(objective, len(study.directions))
        self._written: list[int] = []

    def print(self, console: Console) -> None:
        """Print the trials by state, and the best, or the Pareto front of several objectives."""
        console.print(f"trials of the study: {shown_states(self.study)}", highlight=False)
        if excluded := shown_infeasible(self.study):
            console.print(Text(excluded), soft_wrap=True)
        best = best_trials(self.study)
        if not best:
            return
        console.print(_table(self.study, best[:BEST_TRIALS] if len(self.titles) == 1 else best, self.titles))
        if len(self.titles) == 1:
            directory = job_of(best[0]).get("directory")
            if directory:
                console.print(Text(f"the best: {os.path.relpath(self.sweep_dir / directory)}"), soft_wrap=True)
        shown = os.path.relpath(self.sweep_dir)
        console.print(Text(f"{subcommand('best')} {shown} prints the command that trains it again"), soft_wrap=True)

    def log(self, log: logging.Logger) -> None:
        """The same in lines of the log, where no summary is shown."""
        log.info("trials of the study: %s", shown_states(self.study))
        if excluded := shown_infeasible(self.study):
            log.info("%s", excluded)
        for trial in best_trials(self.study)[: 1 if len(self.titles) == 1 else None]:
            values = ", ".join(f"{title} {value:.6g}" for title, value in zip(self.titles, trial.values, strict=True))
            log.info("best: trial %d, %s: %s", trial.number, values, shown_params(trial))

    def write(self) -> None:
        """optimization_results.yaml, with the keys that hydra-optuna-sweeper writes."""
        best = best_trials(self.study)
        found = [trial.number for trial in (best[:1] if len(self.titles) == 1 else best)]
        if not best or found == self._written:
            return
        self._written = found
        content: dict[str, Any] = {"name": "optuna"}
        if len(self.titles) == 1:
            content |= {"best_params": best[0].params, "best_value": best[0].value, "best_trial": best[0].number}
        else:
            content["solutions"] = [
                {"params": trial.params, "values": list(trial.values), "trial": trial.number} for trial in best
            ]
        with atomic_write(self.sweep_dir / RESULTS) as stream:
            yaml.safe_dump(content, stream, sort_keys=False)


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that completed and keep their constraints, the best first.

    Of several objectives it is the Pareto front, by the first of them.
    """
    if len(study.directions) > 1:
        return sorted(_distinct(study.best_trials), key=lambda trial: trial.values[0])
    completed = [trial for trial in _completed(study) if is_feasible(trial)]
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    return sorted(_distinct(completed), key=lambda trial: (sign * float(trial.values[0]), trial.number))


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether none of its constraints is above 0."""
    return all(value <= 0 for value in compat_optuna.constraints_of(trial).values())


def shown_infeasible(study: optuna.Study) -> str | None:
    """How many completed trials violate a constraint, in words; None where none does."""
    completed = _completed(study)
    violations = [
        {name for name, value in compat_optuna.constraints_of(trial).items() if value > 0} for trial in completed
    ]
    count = sum(map(bool, violations))
    if not count:
        return None
    names = ", ".join(sorted(set().union(*violations)))
    of = count_of(len(completed), "completed trial")
    return f"{count} of {of} violate a constraint ({names}): none of them is the best"


def _completed(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])


def _distinct(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The first of those that have the same values of their parameters: they are one run."""
    return list({tuple(sorted(trial.params.items(), key=str)): trial for trial in reversed(trials)}.values())


def objective_titles(objective: str | Sequence[str] | None, count: int) -> list[str]:
    """The name of each objective."""
    if objective is None:
        return ["value"] if count == 1 else [f"value {index}" for index in range(count)]
    return [objective] if isinstance(objective, str) else list(objective)


def shown_states(study: optuna.Study) -> str:
    """The number of trials by state; of those that count for nothing, as dropped."""
    trials = study.get_trials(deepcopy=False)
    states = [trial.state.name.lower() if counts(trial) else "dropped" for trial in trials]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))) or "none"


def shown_params(trial: FrozenTrial) -> str:
    """The values of its parameters, as overrides."""
    return " ".join(f"{key}={_short(value)}" for key, value in trial.params.items())


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else choice_text(value)


def _table(study: optuna.Study, trials: Sequence[FrozenTrial], titles: Sequence[str]) -> Table:
    completed = len(_completed(study))
    if len(titles) == 1:
        title = f"best {len(trials)} of {count_of(completed, 'completed trial')}"
    else:
        title = f"the Pareto front: {len(trials)} of {count_of(completed, 'completed trial')}"
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        title=Text(title, style="bold"),
        title_justify="left",
        header_style="dim",
    )
    table.add_column("trial", justify="right", no_wrap=True)
    for objective, direction in zip(titles, study.directions, strict=True):
        table.add_column(f"{objective} ({direction.name.lower()[:3]})", justify="right", no_wrap=True)
    table.add_column("parameters", overflow="fold", min_width=20)
    for trial in trials:
        values = [f"{value:.6g}" for value in trial.values]
        table.add_row(str(trial.number), *values, Text(shown_params(trial)))
    return table


def print_search(
    address: StudyAddress,
    space: SearchSpace,
    options: OptunaSweeperConf,
    n_trials: int,
    sweep_dir: Path,
    n_jobs: int,
) -> None:
    """Print the preview of a search: its space, the trials left, and their expected duration. Writes nothing.

    n_trials: of the study, at the most those of its grid. n_jobs: the most runs at once.
    """
    print(f"dry run: nothing is started, nothing is written; the sweep is {os.path.relpath(sweep_dir)}")
    print(f"study {address.name} in {address.shown}")
    for name, distribution in space.distributions.items():
        print(f"    {name}: {in_words(distribution)}")
    if space.extend is not None:
        print(f"    and what {options.custom_search_space} adds")
    for key, value in space.fixed.items():
        print(f"    {key}={value}")
    # A database is made when it is opened; a file is looked at where it is.
    study = find_study(address) if address.file is not None else None
    ended = 0
    if study is not None:
        print(f"trials so far: {shown_states(study)}")
        ended = sum(trial.state.is_finished() and counts(trial) for trial in study.get_trials(deepcopy=False))
    left = max(n_trials - ended, 0)
    of_runs = "" if options.repeats == 1 else f", each of at most {options.repeats} runs"
    print(f"{left} of {count_of(n_trials, 'trial')} would start{of_runs}")
    at_once = min(n_jobs, options.n_jobs or n_jobs, left)
    durations = durations_of(_runs_in(sweep_dir))
    mean = durations.expected("")
    if left and mean is None:
        print("how long that takes is not known: no run has completed there")
    elif left and mean is not None:
        seconds = shown_duration(mean * left * options.repeats / at_once)
        known = count_of(durations.count, "run that has", "runs that have")
        print(f"about {seconds} with {at_once} at once, by the {known} ended there")


def _runs_in(sweep_dir: Path) -> list[RunView]:
    views = [RunView(run.path.name, run.path) for run in find_runs(sweep_dir)]
    for view in views:
        view.follow()
    return [view for view in views if view.state.is_done]

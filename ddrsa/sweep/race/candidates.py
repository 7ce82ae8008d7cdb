"""Candidates of a race: the best trials of a search, whose overrides are taken from its study as plain values."""

from __future__ import annotations

from pathlib import Path

from ddrsa.errors import ConfigError, UsageError
from ddrsa.overrides import override_parts
from ddrsa.plain_overrides import why_not_plain
from ddrsa.sweep.search.saved import read_search
from ddrsa.sweep.search.study import find_study
from ddrsa.sweep.search.summary import best_trials
from ddrsa.sweep.search.trials import job_of


def best_of_search(directory: Path, top: int) -> list[list[str]]:
    """The overrides of the `top` best trials of the search in `directory`, the best first, without their repeats' own.

    Raises ConfigError where there is no such search, or a trial has what is not taken from a directory.
    """
    where = f"hydra.sweeper.candidates={directory}"
    try:
        study = find_study(read_search(directory.absolute()).address)
    except UsageError as error:
        raise ConfigError(f"{where}: {error}") from error
    trials = [] if study is None else best_trials(study)[:top]
    if study is not None and len(study.directions) > 1:
        raise ConfigError(f"{where}: the search has {len(study.directions)} objectives, a race has one")
    found = []
    for trial in trials:
        job = job_of(trial)
        if (overrides := job.get("overrides")) is None:
            continue
        of_repeats = job.get("repeats") or {}
        own = [text for text in overrides if override_parts(text)[0] not in of_repeats]
        for text in own:
            if (why := why_not_plain(text)) is not None:
                raise ConfigError(
                    f"{where}: trial {trial.number} has {text}, which is not taken from a directory: {why}"
                )
        found.append(own)
    if not found:
        raise ConfigError(f"{where}: no trial has completed there")
    return found

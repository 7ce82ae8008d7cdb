"""An analysis: the runs of one sweep or several, and everything that is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ddrsa.analysis.answer import Answer
from ddrsa.analysis.collect import Sweep, collect_all
from ddrsa.analysis.compare import sweep_comparison
from ddrsa.analysis.configurations import Configurations
from ddrsa.analysis.criterion import Choice, Criterion
from ddrsa.analysis.decide import answers
from ddrsa.analysis.foreign import maximized
from ddrsa.analysis.metrics import set_maximized
from ddrsa.analysis.races import Race, races_of
from ddrsa.analysis.tables import (
    best_configurations,
    failures_table,
    runs_table,
    summary_statistics,
    test_intervals,
    write_tables,
)
from ddrsa.rundir.files import atomic_write

BEST = "best.yaml"


@dataclass(frozen=True)
class Analysis:
    """The runs and their analysis. tables: by the name of the file, without .csv; answers: one per data set.

    races: what those of the sweeps that are races say of themselves.
    """

    sweep: Sweep
    criterion: Criterion
    configurations: Configurations
    answers: list[Answer]
    tables: dict[str, pd.DataFrame]
    races: list[Race]


def analyze(sources: Mapping[str, Path], path: Path, choice: Choice, *, looks: bool = False) -> Analysis:
    """Read the runs beneath each of `sources`, by the name of the sweep. It writes nothing.

    path: the directory that the tables will be written into, which names of runs are relative to. looks: the runs are
    looked at again and again as they come in, so that the margins have to hold at every look (`ddrsa.analysis.looks`).
    Those of a race were, by the race itself, and how many repeats there are depends on what it saw.

    Raises ConfigError where a directory holds no run, or where no completed run has the metric of `choice`.
    """
    set_maximized(name for source in sources.values() for name in maximized(source))
    sweep = collect_all(dict(sources), path)
    criterion = choice.for_runs(sweep)
    configurations = Configurations(sweep)
    tables = {
        "summary_statistics": summary_statistics(sweep),
        "best_configurations": best_configurations(sweep, criterion, configurations),
        "runs": runs_table(sweep),
        "failures": failures_table(sweep),
    }
    intervals = test_intervals(sweep)
    if not intervals.empty:  # runs of other tasks have none
        tables["test_intervals"] = intervals
    if sweep.is_comparison:
        tables["sweep_comparison"] = sweep_comparison(sweep)
    races = races_of(sources)
    found = answers(sweep, criterion, configurations, looks=looks or bool(races))
    return Analysis(sweep, criterion, configurations, found, tables, races)


def write_analysis(analysis: Analysis) -> list[Path]:
    """Write the tables and best.yaml into the directory of the analysis; returns the paths.

    Without a best configuration there is no best.yaml: an earlier one is removed.
    """
    directory = analysis.sweep.path
    directory.mkdir(parents=True, exist_ok=True)
    paths = write_tables(analysis.tables, directory)
    best = directory / BEST
    content = [_best(answer) for answer in analysis.answers if answer.best is not None]
    if not content:
        best.unlink(missing_ok=True)
        return paths
    with atomic_write(best) as stream:
        stream.write(
            "# The best configuration of each data set, and a command that does it again, as command_does says.\n"
        )
        yaml.safe_dump(content, stream, sort_keys=False, allow_unicode=True, width=10_000)
    return [*paths, best]


def _best(answer: Answer) -> dict[str, Any]:
    everything = answer.to_dict()
    best = everything["best"]
    return {
        "dataset": answer.dataset,
        "command": answer.command,
        "command_does": answer.command_does,
        "model": best["model"],
        "values": best["values"],
        "metric": answer.metric,
        "select_by": answer.select_by,
        "selected": best["selected"],
        "test": everything["test"],
        "verdict": answer.verdict,
        "repeats": best["repeats"],
        "directories": best["directories"],
    }

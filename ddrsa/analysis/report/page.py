"""The page report.html: the template, filled with an analysis."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ddrsa.analysis.analysis import Analysis
from ddrsa.analysis.answer import Answer
from ddrsa.analysis.commands import settings
from ddrsa.analysis.metrics import CRITERIA, UNITS, column, metric
from ddrsa.analysis.plots.drawn import Plots
from ddrsa.analysis.races import Race, apart
from ddrsa.analysis.read_run import NO_NAME
from ddrsa.analysis.report.environment import SweepOrigin, origin_of
from ddrsa.analysis.report.failures import failure_groups
from ddrsa.analysis.report.images import embedded
from ddrsa.analysis.report.run_table import run_table
from ddrsa.analysis.sentences import number, sentences
from ddrsa.analysis.statistics import Estimate
from ddrsa.rundir.files import atomic_write, now
from ddrsa.rundir.states import State

REPORT = "report.html"

# The page shows so many rows of a table of comparisons; the file has them all.
MOST_ROWS = 100

_VERDICTS = {
    "clear": ("good", "larger than the noise"),
    "noise": ("open", "within the noise"),
    "unknown": ("open", "not known: too few repeats"),
    "only": ("open", "nothing to compare with"),
}
# report.js has the same.
_ENDS_IN_ID = re.compile(r"_([0-9a-f]{8})$")

_BY_MODEL = ("nll", "rul_mae", "rul_rmse", "concordance_index")


def write_report(analysis: Analysis, plots: Plots) -> Path:
    """Write the page into the directory of the analysis; returns its path."""
    path = analysis.sweep.path / REPORT
    page = render(analysis, plots)
    with atomic_write(path) as stream:
        stream.write(page)
    return path


def render(analysis: Analysis, plots: Plots) -> str:
    """The page as HTML. Everything that comes from a run is escaped; the page can load nothing."""
    environment = Environment(
        loader=PackageLoader("ddrsa.analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"link": link, "short": short_name}
    loader = environment.loader
    assert loader is not None
    table, script, style = (loader.get_source(environment, name)[0] for name in ("table.js", "report.js", "report.css"))
    script = f"{table}{script}"
    sweep = analysis.sweep
    origins = [origin_of(name, source) for name, source in sweep.sources.items()]
    images = [embedded(plot) for plot in plots.drawn]
    return environment.get_template("report.html.j2").render(
        title=", ".join(str(source) for source in sweep.sources.values()),
        written=now(),
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        states=_states(analysis),
        planned=_planned(analysis, origins),
        unfinished=sum(not State(each).has_ended for each in sweep.runs["state"]),
        races=[{"race": race, "rows": race_rows(race)} for race in analysis.races],
        apart=apart(analysis.criterion),
        answers=[_shown_answer(answer) for answer in analysis.answers],
        runs=run_table(analysis),
        comparison=_comparison(analysis),
        images=images,
        left_out=plots.left_out,
        failures=failure_groups(sweep),
        origins=origins,
    )


def race_rows(race: Race) -> list[tuple[str, str, int, list[str]]]:
    """Configuration, place, repeats and numbers of each standing."""
    return [
        (
            each.configuration,
            each.place,
            each.repeats,
            ["\N{EN DASH}" if n is None else f"{n:.4g}" for n in (each.mean, each.behind, each.low, each.high)],
        )
        for each in (race.result.standings if race.result is not None else ())
    ]


def link(path: str) -> str:
    """A relative address of a file beside the page, whatever characters its name has."""
    # A name with a colon would else begin another protocol.
    return quote(path, safe="/") if not path.startswith("/") else f"file://{quote(path)}"


def short_name(directory: str) -> str:
    """The last part of a run's directory, or the run id that it ends in: what was swept stands beside it."""
    name = directory.rpartition("/")[2]
    return match[1] if (match := _ENDS_IN_ID.search(name)) else name


def _states(analysis: Analysis) -> list[tuple[str, int]]:
    return [(str(state), int(count)) for state, count in analysis.sweep.runs["state"].value_counts().items()]


def _planned(analysis: Analysis, origins: list[SweepOrigin]) -> int | None:
    """The number of runs that the sweeps plan, where that is more than have begun."""
    known = [origin.planned for origin in origins]
    planned = sum(count for count in known if count is not None)
    return planned if None not in known and planned > len(analysis.sweep.runs) else None


def _shown_answer(answer: Answer) -> Mapping[str, Any]:
    said = sentences(answer)
    units = answer.select_by
    unit = metric(answer.metric, answer.dataset).unit
    known = {name for candidate in answer.by_model for name in candidate.metrics}
    names = [name for name in dict.fromkeys([answer.metric, *_BY_MODEL]) if column(name, units) in known]
    kind, words = _VERDICTS[answer.verdict]
    return {
        "dataset": answer.dataset,
        "first": said[0],
        "others": said[1:],
        "best": answer.best,
        "model": answer.best.model if answer.best and answer.best.model != NO_NAME else None,
        "settings": settings(answer.best.values) if answer.best else [],
        "metric": metric(answer.metric).label,
        "selected": number(answer.best.selected, unit) if answer.best else None,
        "units": UNITS[units],
        "test": number(answer.test, unit) if answer.test and units == "validation" else None,
        "margin": f"{answer.margin.mean:.3g}{unit and ' ' + unit}" if answer.margin else None,
        "verdict": words,
        "verdict_kind": kind,
        "by_model_columns": [_with_unit(name, answer.dataset) for name in names],
        "by_model": [
            {
                "model": candidate.model,
                "settings": settings(candidate.values),
                "cells": [_cell(candidate.metrics.get(column(name, units))) for name in names],
                "n": candidate.selected.n,
            }
            for candidate in answer.by_model
        ],
        "next_steps": answer.next_steps,
        "command": answer.command,
        "command_does": answer.command_does,
    }


def _cell(estimate: Estimate | None) -> str:
    return "\N{EN DASH}" if estimate is None else number(estimate)


def _with_unit(name: str, dataset: str) -> str:
    known = metric(name, dataset)
    return f"{known.label} ({known.unit})" if known.unit else known.label


def _comparison(analysis: Analysis) -> Mapping[str, Any] | None:
    table = analysis.tables.get("sweep_comparison")
    if table is None or table.empty:
        return None
    shown = {name for metric_name in _compared(analysis) for name in (metric_name, column(metric_name, "validation"))}
    judged = table[table["metric"].isin(shown)]
    rows = [
        [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in judged.head(MOST_ROWS).itertuples(index=False, name=None)
    ]
    return {"columns": [str(name).replace("_", " ") for name in table.columns], "rows": rows, "count": len(table)}


def _compared(analysis: Analysis) -> list[str]:
    """The metrics that tell whether one sweep is better than another; the file has all numbers."""
    return [analysis.criterion.metric, *CRITERIA, "training_time_seconds"]

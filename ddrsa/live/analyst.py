"""python -m ddrsa.live.analyst SWEEP OUT METRIC SELECT_BY: the present answer of a sweep, and its plots.

A process of its own for each: an analysis of thousands of runs takes time and memory that the server has not. It reads
what `analyze` reads and writes into OUT only: first answer.json, then plots.json with the plots beside it. METRIC and
SELECT_BY are those of `analyze`, empty where nobody has chosen.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ddrsa.errors import UsageError
from ddrsa.rundir.files import write_json
from ddrsa.rundir.race_record import read_race
from ddrsa.rundir.sweep_files import OWNERS
from ddrsa.screen import PlainConsole
from ddrsa.texts import printable

ANSWER, PLOTS = "answer.json", "plots.json"
_WIDTH = 100


def main(arguments: list[str]) -> int:
    """Returns 0 where the answer was written, also where it says why there is none."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)  # the runs go first
    logging.disable(logging.CRITICAL)
    directory, out = map(Path, arguments[:2])
    metric, select_by = arguments[2:]
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    answer: dict[str, Any] = {"answers": [], "problem": None, "race": None, "search": None}
    with _said(answer, "race"):
        answer["race"] = _race(directory)
    with _said(answer, "search"):
        answer["search"] = _search(directory) if (directory / OWNERS).is_dir() else None
    analysis = None
    with _said(answer, "problem"):
        from ddrsa.analysis.analysis import analyze
        from ddrsa.analysis.criterion import Choice
        from ddrsa.analysis.races import apart

        # At every look, however often there is one.
        analysis = analyze({"": directory}, directory, Choice(metric or None, select_by or None), looks=True)
        answer["answers"] = [_shown(each) for each in analysis.answers]
        answer["apart"] = apart(analysis.criterion) if analysis.races else None
        answer["runs"] = len(analysis.sweep.completed)
    write_json(out / ANSWER, answer, durable=False)
    plots: dict[str, Any] = {"plots": [], "left_out": [], "problem": None}
    if analysis is not None:
        with _said(plots, "problem"):
            plots |= _plots(analysis, out)
    write_json(out / PLOTS, {**plots, "seconds": time.process_time()}, durable=False)
    return 0


def _end_with_the_server() -> None:
    """Its end closes stdin, however it comes."""
    sys.stdin.read()
    os._exit(1)


@contextlib.contextmanager
def _said(content: dict[str, Any], key: str) -> Any:
    """What goes wrong in the block stands in `content`: the other parts are shown all the same."""
    try:
        yield
    except UsageError as error:
        content["problem"] = printable(" ".join(str(error).split()))
    except Exception as error:  # whatever a damaged directory makes of a plot: the page goes on
        content["problem"] = printable(f"{key}: {type(error).__name__}: {' '.join(str(error).split())}")


def _shown(answer: Any) -> dict[str, Any]:
    from ddrsa.analysis.sentences import sentences

    steps = [{"reason": step.reason, "commands": step.commands} for step in answer.next_steps]
    return {
        "dataset": printable(answer.dataset),
        "words": [printable(sentence) for sentence in sentences(answer)],
        "verdict": answer.verdict,
        "steps": [{"reason": printable(s["reason"]), "commands": list(map(printable, s["commands"]))} for s in steps],
        "command": None if answer.command is None else printable(answer.command),
        "command_does": answer.command_does,
    }


def _plots(analysis: Any, out: Path) -> dict[str, Any]:
    from ddrsa.analysis.plots import write_plots

    # The plots go where the analysis writes its files, and this one writes none into the sweep.
    plots = write_plots(replace(analysis, sweep=replace(analysis.sweep, path=out)))
    return {
        "plots": [
            {"name": plot.name, "title": printable(plot.title), "description": printable(plot.description)}
            for plot in plots.drawn
        ],
        "left_out": [{"name": each.name, "reason": printable(each.reason)} for each in plots.left_out],
    }


def _race(directory: Path) -> dict[str, Any] | None:
    from ddrsa.analysis.races import Race

    result = read_race(directory)
    if result is None:
        return None
    race = Race(directory, result)
    rows = [{**asdict(each), "configuration": printable(each.configuration)} for each in result.standings]
    return {
        "answer": printable(race.words),
        "basis": printable(race.basis),
        "caption": race.caption,
        "objective": printable(result.objective),
        "rows": rows,
    }


def _search(directory: Path) -> str | None:
    from ddrsa.sweep.search.best import summary_of  # imports Optuna

    summary = summary_of(directory)
    if summary is None:
        return None
    console = PlainConsole(file=io.StringIO(), width=_WIDTH, highlight=False, color_system=None)
    summary.print(console)
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue().rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

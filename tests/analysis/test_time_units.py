"""Times in the unit of the data: days where a row is six hours, cycles only where a row is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_runs import MakeRun, metrics
from matplotlib.text import Text

from ddrsa.analysis.analysis import Analysis, analyze
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.metrics import metric, set_time_units
from ddrsa.analysis.plots import DRAW
from ddrsa.analysis.plots.drawn import NotDrawn, Plots
from ddrsa.analysis.report.page import render
from ddrsa.analysis.sentences import sentences
from ddrsa.time_units import DATES

SIX_HOURS = {"length": 21600.0, "unit": DATES}
PUMPS = {"name": "table", "subset": "pumps"}


@pytest.fixture(autouse=True)
def _no_units_left_behind() -> Iterator[None]:
    yield
    set_time_units({})


def measured(mae: float, step: dict[str, Any], horizon: int = 48, time_unit: str = "steps of 6h") -> dict[str, Any]:
    """The MAE in steps, on 25 units, with an interval and a policy."""
    policy = {"curve": [{"threshold": c, "miss_rate": 0.1 / c, "mean_time_to_event": 4.0 * c} for c in (1, 2, 4)]}
    values = {**metrics(mae, mae + 1, 0.8)["validation"], "policies": {"oti": policy}}
    sums = {"total": [10 * mae] * 25, "count": [10.0] * 25, "root": False}
    return {
        **values,
        "validation": values,
        "comparison": {"horizon": horizon, "time_unit": time_unit, "data": "aa"},
        "time_step": step,
        "by_unit": {"unit": list(range(25)), "rul_mae": sums},
        "confidence_intervals": {"level": 0.95, "rul_mae": [mae - 2, mae + 2]},
        "training_time_seconds": mae,
    }


def analysed(sweep_dir: Path) -> Analysis:
    return analyze({"": sweep_dir}, sweep_dir, Choice("rul_mae", "validation"))


def test_steps_of_six_hours_are_told_in_days(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("gru", dataset=PUMPS, learning_rate=0.1, result=measured(8, SIX_HOURS))
    make_run("lstm", dataset=PUMPS, learning_rate=0.2, result=measured(12, SIX_HOURS))
    analysis = analysed(sweep_dir)
    (answer,) = analysis.answers
    said = " ".join(sentences(answer))
    assert "MAE of the RUL 2 days on the validation units" in said
    assert "it has 2 days (95 % interval 1.5 to 2.5, by" in said
    assert "is 1 day worse" in said
    assert "On the same 25 test units the next is 1 day higher (95 % interval 1 to 1" in said
    table = analysis.tables["summary_statistics"].query("model == 'gru' and units == 'test'")
    told = {name: (unit, mean) for name, unit, mean in table[["metric", "unit", "mean"]].to_numpy()}
    assert (told["rul_mae"], told["concordance_index"]) == (("days", 2.0), ("", 0.8))
    intervals = analysis.tables["test_intervals"].query("model == 'gru' and metric == 'rul_mae'")
    assert intervals[["value", "ci_low", "ci_high"]].to_numpy().tolist() == [[2.0, 1.5, 2.5]]

    texts = []
    for draw in DRAW.values():
        try:
            drawing = draw(analysis)
        except NotDrawn:
            continue
        texts += [drawing.title, drawing.description]
        texts += [artist.get_text() for artist in drawing.figure.findobj(Text) if isinstance(artist, Text)]
        if "policy" in drawing.title:
            highest = max(float(np.max(line.get_ydata())) for line in drawing.figure.axes[0].lines[:2])
            assert highest == pytest.approx(4.0)  # of 16 steps
    page = render(analysis, Plots())
    assert "the intervention (days)" in " ".join(texts)
    assert "MAE of the RUL (days)" in " ".join(texts)
    for text in [*texts, re.sub("<(style|script)\\b.*?</\\1>", "", page, flags=re.DOTALL)]:
        assert not re.search(r"\bcycles?\b", text, re.IGNORECASE), text


def test_each_data_set_has_its_own_unit(sweep_dir: Path, make_run: MakeRun) -> None:
    hours = {"length": 0.5, "unit": "hours"}
    make_run(dataset=PUMPS, result=measured(8, hours, time_unit="rows"))
    make_run(dataset={"name": "turbofan"}, result=measured(8, {}, time_unit="cycles"))
    analysis = analysed(sweep_dir)
    assert [answer.best.selected.mean for answer in analysis.answers if answer.best] == [4.0, 8.0]
    said = [sentences(answer)[0] for answer in analysis.answers]
    assert ["4 hours on" in said[0], "8 cycles on" in said[1]] == [True, True]
    labels = [ax.get_ylabel() for ax in DRAW["model_comparison"](analysis).figure.axes]
    assert any("(hours)" in label for label in labels)
    assert any("(cycles)" in label for label in labels)
    assert metric("rul_mae").unit == "in the unit of each data set"


@pytest.mark.parametrize(
    ("steps", "unit", "mean"),
    [
        # An earlier version did not record the step: nothing is changed, and no cycle is said.
        ([{}, {}], "steps of 6h", 10.0),
        ([SIX_HOURS, {}], "steps of 6h", 10.0),
        # One unit for both, by the larger horizon.
        ([SIX_HOURS, SIX_HOURS], "days", 2.5),
    ],
)
def test_runs_of_one_data_set_have_one_unit(
    sweep_dir: Path, make_run: MakeRun, steps: list[dict[str, Any]], unit: str, mean: float
) -> None:
    for batch_size, step in zip((32, 64), steps, strict=True):
        make_run(dataset=PUMPS, batch_size=batch_size, result=measured(10, step, horizon=16))
    (answer,) = analysed(sweep_dir).answers
    assert answer.best is not None
    assert answer.best.selected.mean == mean
    assert f"{mean:g} {unit} on the validation units" in sentences(answer)[0]

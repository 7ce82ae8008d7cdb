from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_runs import MakeRun, result

from ddrsa.analysis.collect import collect
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.decide import answers
from ddrsa.analysis.paired_units import paired_on_units
from ddrsa.analysis.sentences import sentences
from ddrsa.analysis.tables import test_intervals as intervals_table


def on_units(values: np.ndarray, mae: float, **more: Any) -> dict[str, Any]:
    """A result with this sum of the MAE on each unit, of ten windows each."""
    sums = {"total": (10 * values).tolist(), "count": [10.0] * len(values), "root": False}
    by_unit = {"unit": list(range(len(values))), "rul_mae": sums}
    return {**result(mae, float(values.mean())), "by_unit": by_unit, **more}


def test_the_two_best_are_compared_on_the_same_units(sweep_dir: Path, make_run: MakeRun) -> None:
    rng = np.random.default_rng(0)
    # Units differ far more than the two runs do.
    hard = rng.normal(20, 8, 25)
    better, worse = hard + rng.normal(0, 0.2, 25), hard + 0.5 + rng.normal(0, 0.2, 25)
    intervals = {"level": 0.95, "rul_mae": [17.0, 23.0]}
    make_run(batch_size=32, result=on_units(better, 1.0, confidence_intervals=intervals))
    make_run(batch_size=64, result=on_units(worse, 2.0))
    sweep = collect(sweep_dir)
    (found,) = answers(sweep, Choice().for_runs(sweep))
    assert found.on_units is not None
    assert found.on_units.mean == pytest.approx((worse - better).mean())
    assert 0 < found.on_units.low < 0.5 < found.on_units.high < 1
    said = " ".join(sentences(found))
    assert f"On the same 25 test units the next is {found.on_units.mean:.3g} cycles higher" in said
    assert "(95 % interval 17 to 23, by the bootstrap over units)" in said
    table = intervals_table(sweep)
    assert table[["metric", "ci_low", "ci_high"]].values.tolist() == [["rul_mae", 17.0, 23.0]]


def test_other_units_are_no_pairs(make_run: MakeRun) -> None:
    values = np.arange(5.0)
    first = make_run(result=on_units(values, 1.0))
    other = make_run(result=on_units(np.arange(6.0), 1.0))
    bare = make_run(result=result(1.0))
    assert paired_on_units([(first.path, other.path), (first.path, bare.path)], "rul_mae") is None
    same = paired_on_units([(first.path, first.path)], "rul_mae")
    assert same is not None
    assert (same.mean, same.low, same.high, same.units) == (0, 0, 0, 5)
    assert paired_on_units([(first.path, first.path)], "nll") is None


def test_what_does_not_beat_a_forecast_without_sensors_is_said(sweep_dir: Path, make_run: MakeRun) -> None:
    for batch_size, above in ((32, -0.01), (64, 0.2), (128, 0.0)):
        values = {"rul_mae": batch_size, "concordance_above_age": above, "nll_below_constant_hazard": 0.1}
        make_run(batch_size=batch_size, result={**values, "validation": values})
    sweep = collect(sweep_dir)
    (found,) = answers(sweep, Choice(metric="rul_mae").for_runs(sweep))
    said = sentences(found)
    assert "Its concordance does not beat the age of the units alone, on the validation units." in said
    assert "Of 1 of 2 other configurations the concordance does not beat the age of the units alone." in said
    assert not any("constant hazard" in sentence for sentence in said)

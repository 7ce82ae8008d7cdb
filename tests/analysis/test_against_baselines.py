from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis_runs import MakeRun, result

from ddrsa.analysis.collect import collect
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.decide import answers
from ddrsa.analysis.sentences import sentences

HARD = np.random.default_rng(0).normal(20, 8, 25)  # units differ far more than runs do


def on_units(values: np.ndarray, mae: float, **more: Any) -> dict[str, Any]:
    sums = {"total": (10 * values).tolist(), "count": [10.0] * len(values), "root": False}
    by_unit = {"unit": list(range(len(values))), "rul_mae": sums}
    return {**result(mae, float(values.mean())), "by_unit": by_unit, **more}


def said_of(sweep_dir: Path) -> list[str]:
    sweep = collect(sweep_dir)
    (found,) = answers(sweep, Choice(metric="rul_mae").for_runs(sweep))
    return sentences(found)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (HARD - 2, "The best network, tcn, beats boosting by 2 cycles (MAE of the RUL on the same 25 test units, 95 %"),
        (
            HARD + 1,
            "The best network, tcn, is beaten by boosting, by 1 cycle (MAE of the RUL on the same 25 test units;",
        ),
        (
            HARD + np.random.default_rng(1).normal(0, 2, 25),
            "The best network, tcn, cannot be told apart from boosting:",
        ),
    ],
)
def test_the_best_network_is_compared_with_each_baseline(
    network: np.ndarray, expected: str, sweep_dir: Path, make_run: MakeRun
) -> None:
    # The choice is made on validation units, where the network is always the best; gru is a network that is worse.
    make_run("tcn", result=on_units(network, 1.0))
    make_run("gru", result=on_units(HARD + 9, 5.0))
    make_run("boosting", result=on_units(HARD, 2.0))
    make_run("kaplan_meier", result=on_units(HARD + 10, 7.0))
    said = said_of(sweep_dir)
    assert said[1].startswith("The best network, tcn, beats kaplan_meier by ")
    assert said[2].startswith(expected)
    assert "paired bootstrap over units" in said[2]


def test_the_best_network_is_named_also_where_a_baseline_is_the_best(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("tcn", result=result(3.0))
    make_run("boosting", result=result(2.0))
    said = said_of(sweep_dir)
    assert "boosting" in said[0]
    assert said[1] == (
        "The best network, tcn, is 1 cycle worse than boosting "
        "(MAE of the RUL on the validation units, without an interval: the runs do not have it by unit)."
    )


@pytest.mark.parametrize("models", [("tcn", "gru"), ("boosting", "kaplan_meier")])
def test_networks_or_baselines_alone_are_not_compared(
    models: tuple[str, str], sweep_dir: Path, make_run: MakeRun
) -> None:
    for number, model in enumerate(models):
        make_run(model, result=on_units(HARD + number, 1.0 + number))
    assert not any("network" in sentence for sentence in said_of(sweep_dir))


def test_promise_and_costs_of_the_best_are_said(sweep_dir: Path, make_run: MakeRun) -> None:
    points = {
        "tuned": {"oti": {"per_year": 32322.2}},
        "run_to_failure": {"per_year": 1e5},
        "perfect": {"per_year": 16501},
    }
    more = {
        "policies": {"oti": {"promise": {"sentence": "oti with threshold 40 misses no more than 0.05"}}},
        "costs": {"currency": "EUR", "tuned": {"oti": {"per_year": 32322.2}}, **points},
    }
    make_run("tcn", result=on_units(HARD, 1.0, **more))
    make_run("gru", result=on_units(HARD, 2.0))
    said = said_of(sweep_dir)
    assert "Promise of its policy: oti with threshold 40 misses no more than 0.05." in said
    assert (
        "Expected cost by its oti policy, tuned on validation units: 32,322 EUR per unit and year on the test units; "
        "without interventions 100,000, with one just in time before each failure 16,501."
    ) in said

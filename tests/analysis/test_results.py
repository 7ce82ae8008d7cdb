"""The numbers of a test_metrics.json, of this version and of earlier ones."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ddrsa.analysis.metrics import metric
from ddrsa.analysis.results import flat_metrics, policy_curves

CURVE = [
    {"cost": 8, "miss_rate": 0.2, "mean_time_to_event": 3.0},
    {"cost": 16, "miss_rate": 0.08, "mean_time_to_event": 5.0},
    {"cost": 32, "miss_rate": 0.05, "mean_time_to_event": 9.0},
    {"cost": 64, "miss_rate": 0.0, "mean_time_to_event": 20.0},
    {"cost": 128, "miss_rate": 0.0, "mean_time_to_event": None},
]


def test_the_smallest_time_among_the_costs_that_miss_few() -> None:
    flat = flat_metrics({"oti": CURVE, "validation": {"oti": CURVE[:2]}})
    assert (flat["oti_at_5_percent"], flat["oti_at_10_percent"]) == (9.0, 5.0)
    assert math.isnan(flat["validation_oti_at_5_percent"])
    assert flat["validation_oti_at_10_percent"] == 5.0


def test_numbers_of_a_subset_carry_its_name() -> None:
    of_subset = {"nll": 2.0, "oti_at_miss_rate": {"5%": 3.0, "10%": None}, "num_units": 4}
    flat = flat_metrics(
        {"nll": 3.0, "by_subset": {"FD001": of_subset}, "validation": {"by_subset": {"FD001": {"nll": 4}}}}
    )
    assert (flat["nll"], flat["nll@FD001"], flat["validation_nll@FD001"]) == (3.0, 2.0, 4.0)
    assert flat["oti_at_5_percent@FD001"] == 3.0
    found = metric("validation_concordance_index@FD001")
    assert found.higher_is_better
    assert found.label == "Concordance index on FD001"


def test_what_the_run_says_itself_counts() -> None:
    flat = flat_metrics({"oti": CURVE, "oti_at_miss_rate": {"5%": 7.5, "10%": None}})
    assert flat["oti_at_5_percent"] == 7.5
    assert math.isnan(flat["oti_at_10_percent"])


def test_validation_has_a_prefix_and_text_is_no_metric() -> None:
    result = {
        "rul_mae": 1,
        "note": "x",
        "flag": True,
        "schema_version": 1,
        "run_id": 5,
        "validation": {"rul_mae": None},
    }
    flat = flat_metrics(result)
    assert set(flat) == {"rul_mae", "validation_rul_mae"}
    assert flat["rul_mae"] == 1.0
    assert math.isnan(flat["validation_rul_mae"])


@pytest.mark.parametrize("oti", [{"cost": 1}, [1, 2], "x"])
def test_a_curve_that_is_none(oti: Any) -> None:
    with pytest.raises(ValueError, match="`oti`"):
        flat_metrics({"oti": oti})


def test_policy_curves() -> None:
    points = [(8, 0.2, 3.0), (16, 0.08, 5.0), (32, 0.05, 9.0), (64, 0.0, 20.0)]
    assert policy_curves({"oti": CURVE}) == {"oti": points}
    assert policy_curves({}) == {}
    threshold = {"curve": [{"threshold": 4, "miss_rate": 0.5, "mean_time_to_event": 2.0}], "tuned": {}}
    result = {"oti": CURVE, "policies": {"time_to_event_threshold": threshold, "broken": 3, "empty": {"curve": []}}}
    assert policy_curves(result) == {"time_to_event_threshold": [(4, 0.5, 2.0)]}

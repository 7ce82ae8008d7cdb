from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored

from ddrsa.survival.age_alone import survival_by_age
from ddrsa.survival.landmarks import Brier, landmark_intervals, landmarks
from ddrsa.survival.metrics import Bools, CensoringDistribution, Floats, brier_scores
from ddrsa.survival.unit_bootstrap import draws

HORIZON = 12
UNITS = 40


class Fleet:
    """Units that all fail, a window at every age; their true time to event, and a forecast that is off by some."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.life = rng.integers(20, 60, UNITS)
        self.number = np.repeat(np.arange(UNITS), self.life + 1)
        self.age = np.concatenate([np.arange(n + 1) for n in self.life]).astype(float)
        self.tau = self.life[self.number] - self.age
        self.time, self.event = np.minimum(self.tau, HORIZON), self.tau < HORIZON
        ends = (self.life.astype(float), np.ones(UNITS, dtype=bool))
        self.censoring = CensoringDistribution.fit(*ends)
        self.by_age = survival_by_age(*ends, self.age, HORIZON)
        self.noisy = np.maximum(self.tau + rng.normal(0, 9, len(self.tau)), 0)

    def judged(self, predicted: Floats) -> tuple[Floats, Bools, Floats, Brier, Brier, Floats]:
        survival = (predicted[:, None] > np.arange(HORIZON)).astype(float)
        forecast, age_alone = (
            brier_scores(self.time, self.event, each, self.censoring, self.age) for each in (survival, self.by_age)
        )
        return self.time, self.event, predicted, forecast, age_alone, self.age


def test_landmarks_stand_beside_the_age_alone() -> None:
    fleet = Fleet()
    found = landmarks(*fleet.judged(fleet.tau))
    assert [each["age"] for each in found] == sorted({each["age"] for each in found})
    for each in found:
        assert each["num_units"] == (fleet.life >= each["age"]).sum()
        assert [w["window"] for w in each["brier_score"]] == [3, 6, 12]
        assert all(w["forecast"] == 0 for w in each["brier_score"])
    assert any(w["age_alone"] > 0.05 for each in found for w in each["brier_score"])


def test_intervals_of_landmarks_are_of_units_that_are_drawn_again() -> None:
    fleet = Fleet()
    weights = draws(UNITS, 200)
    judged = fleet.judged(fleet.noisy)
    points, found = landmarks(*judged), landmark_intervals(*judged, fleet.number, weights)
    assert [each["age"] for each in found] == [each["age"] for each in points]
    for point, each in zip(points, found, strict=True):
        here = fleet.age == each["age"]
        indices, briers, of_age = [], [], []
        for drawn in weights.astype(int):
            # The windows of that age, each as often as its unit is drawn.
            rows = np.repeat(np.flatnonzero(here), drawn[fleet.number[here]])
            time, event, predicted = fleet.time[rows], fleet.event[rows], fleet.noisy[rows]
            if event.any() and len(set(time)) > 1:
                indices.append(concordance_index_censored(event, time, -predicted)[0])
            if len(rows):
                briers.append(np.mean((event - (predicted <= HORIZON - 1).astype(float)) ** 2))
                of_age.append(np.mean((event - (1 - fleet.by_age[rows, -1])) ** 2))
        (last,) = [w for w in each["brier_score"] if w["window"] == HORIZON]
        for interval, values, value in (
            (each["concordance_index"], np.array(indices), point["concordance_index"]),
            (last["forecast"], np.array(briers), point["brier_score"][-1]["forecast"]),
            (last["age_alone"], np.array(of_age), point["brier_score"][-1]["age_alone"]),
        ):
            if len(values) < len(weights) / 2 or np.ptp(values) < 1e-9:
                assert interval is None
                continue
            assert interval == pytest.approx(np.quantile(values, [0.025, 0.975]))
            assert interval[0] <= value <= interval[1]
    assert sum(each["concordance_index"] is not None for each in found) >= 3
    assert sum(each["brier_score"][-1]["age_alone"] is not None for each in found) >= 3

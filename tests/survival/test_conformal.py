from __future__ import annotations

import numpy as np
import pytest
import torch

from ddrsa.survival.conformal import Conformal, conformity_scores, fit_conformal
from ddrsa.survival.hazard import survival
from ddrsa.survival.intervals import central_interval, unit_coverage

HORIZON = 25


def fleet(rng: np.random.Generator, num_units: int, sharpness: float) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Forecasts that are off by an error of each unit, and are surer than they should be, of units of 5 to 60 rows."""
    lengths = rng.integers(5, 60, num_units)
    tau = np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(float)
    unit = np.repeat(np.arange(num_units), lengths)
    guess = tau + np.repeat(rng.normal(0, 4, num_units), lengths) + rng.normal(0, 1, len(tau))
    logits = (np.arange(HORIZON) - guess[:, None]) * sharpness - 1
    return torch.from_numpy(logits), unit, tau


def holds(lower: torch.Tensor, upper: torch.Tensor, tau: np.ndarray) -> np.ndarray:
    """Whether an interval holds tau: an open one what is beyond the horizon too."""
    return np.asarray((lower.numpy() <= tau) & ((tau <= upper.numpy()) | (upper.numpy() >= HORIZON)))


def test_score_is_the_level_from_which_on_the_interval_holds_the_truth() -> None:
    logits, _, tau = fleet(np.random.default_rng(0), 12, 0.4)
    scores = conformity_scores(survival(logits).numpy(), tau)
    for level in np.linspace(0.005, 0.995, 100):
        near = np.abs(scores - level) < 1e-5  # float32 quantiles
        held = holds(*central_interval(logits, float(level)), np.minimum(tau, HORIZON))
        assert (held == (scores < level))[~near].all()


@pytest.mark.parametrize("sharpness", [0.15, 2.0])
def test_new_units_are_covered_as_promised_whatever_the_forecasts(sharpness: float) -> None:
    rng = np.random.default_rng(1)
    covered: dict[float, list[float]] = {0.5: [], 0.8: [], 0.9: []}
    own: list[float] = []
    for _ in range(80):
        conformal = fit_conformal(*fleet(rng, 15, sharpness), "policy")
        logits, unit, tau = fleet(rng, 20, sharpness)
        time = np.minimum(tau, HORIZON)
        ends = conformal.ends(survival(logits.double()).numpy())
        for level, found in covered.items():
            lower, upper = ends[f"{level:.0%}"]
            coverage = unit_coverage(lower, upper, time, tau < HORIZON, HORIZON, unit)
            assert coverage is not None
            found.append(coverage)
        own.append(float(np.mean(holds(*central_interval(logits, 0.8), time))))
    for level, found in covered.items():
        # At least the level; not much more, by 1 / (n + 1), whole cycles and open ends.
        assert np.mean(found) > level - 4 * np.std(found) / np.sqrt(len(found))
        assert np.mean(found) < level + 0.12
    # Forecasts that are too sure have intervals of their own that are far too narrow.
    assert sharpness < 1 or np.mean(own) < 0.6


def test_each_unit_counts_as_one_however_long_it_is() -> None:
    # The forecasts are a fair coin at each step: the score of tau 0 is 0, the one of tau 9 is nearly 1.
    rows = [200, *[1] * 9]
    tau = np.concatenate([np.full(200, 9.0), np.zeros(9)])
    conformal = fit_conformal(torch.zeros(209, HORIZON), np.repeat(np.arange(10), rows), tau, "policy")
    assert conformal.level(0.8) < 0.01
    assert 0.9 < conformal.level(0.9) < 1
    assert conformal.level(0.95) == 1
    few = fit_conformal(torch.zeros(5, HORIZON), np.arange(5), np.zeros(5), "policy")
    assert few.level(0.8) < 1 == few.level(0.9)
    lower, upper = few.ends(np.full((3, HORIZON), 0.5))["90%"]
    assert (lower.tolist(), upper.tolist()) == ([0.0] * 3, [float(HORIZON)] * 3)


def test_coverage_between_whole_percents_is_that_of_the_larger_one() -> None:
    conformal = Conformal(tuple(np.arange(1, 100) / 200), 5, "validation")
    assert conformal.level(0.8) == 0.4
    assert conformal.level(0.801) == 0.405
    assert conformal.level(0.999) == 1
    assert Conformal.from_dict(conformal.to_dict()) == conformal
    with pytest.raises(ValueError, match="99 levels"):
        Conformal.from_dict({**conformal.to_dict(), "levels": [0.5]})

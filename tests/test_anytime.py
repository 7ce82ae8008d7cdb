"""Confidence sequences, against an integral over the effects and against simulated looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from ddrsa.anytime import PRIOR_VARIANCE, half_width, log_evidence


@pytest.mark.parametrize("n", [2, 3, 7, 20])
@pytest.mark.parametrize("t", [0.0, 0.7, -3.0, 9.0])
@pytest.mark.parametrize("prior", [0.5, 30.0])
def test_evidence_is_the_ratio_of_the_densities_of_t(n: int, t: float, prior: float) -> None:
    """Of the noncentral t over normal effects, and of Student's."""

    scale = math.sqrt(prior)
    effects = np.linspace(-8 * scale, 8 * scale, 2001)
    densities = stats.nct.pdf(t, n - 1, effects * math.sqrt(n)) * stats.norm.pdf(effects, scale=scale)
    whole = integrate.simpson(densities, x=effects)
    assert math.exp(log_evidence(t, n - 1, n, prior)) == pytest.approx(whole / stats.t.pdf(t, n - 1), rel=1e-4)


@pytest.mark.parametrize(("freedom", "information"), [(4, 5.0), (19, 20.0), (51, 1.5)])
@pytest.mark.parametrize("alpha", [0.05, 0.003])
def test_bound_is_where_the_evidence_reaches_one_over_alpha(freedom: int, information: float, alpha: float) -> None:
    half = half_width(0.3, freedom, information, alpha)
    assert log_evidence(half / 0.3, freedom, information) == pytest.approx(-math.log(alpha))


def test_too_little_to_tell_is_no_bound() -> None:
    assert half_width(1.0, 1, 2, 0.05) == math.inf
    assert half_width(1.0, 0, 1, 0.05) == math.inf


def test_truth_is_inside_at_all_looks() -> None:
    """Where one interval after another at 95 % would leave it out in a fourth of the cases."""
    values = np.random.default_rng(0).normal(2.0, 3.0, (2000, 40))
    left_out, naive = np.zeros(2000, bool), np.zeros(2000, bool)
    for n in range(2, 41):
        seen = values[:, :n]
        error = seen.std(axis=1, ddof=1) / math.sqrt(n)
        distance = np.abs(seen.mean(axis=1) - 2.0)
        left_out |= distance > error * half_width(1.0, n - 1, n, 0.05)
        naive |= distance > error * stats.t.ppf(0.975, n - 1)
    assert left_out.mean() <= 0.05
    assert naive.mean() > 0.2


@pytest.mark.parametrize("effect", [0.0, -0.3])
def test_lower_bound_alone_is_shorter_and_holds_at_all_looks(effect: float) -> None:
    """Of an effect of 0 and of one below it: in how many cases 0 or more is claimed at any look."""
    values = np.random.default_rng(3).normal(effect, 1.0, (4000, 40))
    claimed = np.zeros(4000, bool)
    for n in range(2, 41):
        seen = values[:, :n]
        error = seen.std(axis=1, ddof=1) / math.sqrt(n)
        one_sided = half_width(1.0, n - 1, n, 0.1, one_sided=True)
        claimed |= seen.mean(axis=1) - error * one_sided > 0
        assert one_sided < half_width(1.0, n - 1, n, 0.1) or math.isinf(one_sided)
    assert claimed.mean() <= 0.1
    assert effect < 0 or claimed.mean() > 0.02  # not for nothing


@pytest.mark.parametrize(("freedom", "information"), [(4, 5.0), (19, 20.0)])
def test_lower_bound_is_within_what_half_of_the_effects_give(freedom: int, information: float) -> None:
    """The evidence by effects above 0 alone, integrated, has reached 1 / alpha at the bound, and hardly more."""
    alpha, scale = 0.02, math.sqrt(PRIOR_VARIANCE)
    t = half_width(1.0, freedom, information, alpha, one_sided=True)
    effects = np.linspace(0, 8 * scale, 4001)
    densities = 2 * stats.nct.pdf(t, freedom, effects * math.sqrt(information)) * stats.norm.pdf(effects, scale=scale)
    evidence = integrate.simpson(densities, x=effects) / stats.t.pdf(t, freedom)
    assert 1 / alpha <= evidence * (1 + 1e-4) < 1.02 / alpha

"""Intervals and noise against SciPy, statsmodels and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ddrsa.analysis.statistics import Noise, bootstrap_means, difference, pooled_noise


def test_bootstrap_is_that_of_scipy() -> None:
    generator = np.random.default_rng(1)
    values = np.column_stack([generator.gamma(2, 3, 60), generator.normal(0, 1, 60)])
    low, high = bootstrap_means(values)
    for i in range(2):
        expected = stats.bootstrap(
            (values[:, i],), np.mean, method="percentile", n_resamples=9_999, rng=generator
        ).confidence_interval
        # Two bootstraps differ by chance: by a few hundredths of the interval with so many resamples.
        tolerance = 0.05 * (expected.high - expected.low)
        assert (low[i], high[i]) == (
            pytest.approx(expected.low, abs=tolerance),
            pytest.approx(expected.high, abs=tolerance),
        )


def test_bootstrap_of_missing_and_single_values() -> None:
    nan = np.nan
    values = np.array([[1.0, nan, 5.0, 2.0], [2.0, nan, nan, 2.0], [3.0, 4.0, nan, 2.0], [6.0, 8.0, nan, 2.0]])
    low, high = bootstrap_means(values)
    assert 1 <= low[0] < 3 < high[0] <= 6
    assert (low[1], high[1]) == (4.0, 8.0)
    assert np.isnan(low[2])
    assert np.isnan(high[2])
    assert (low[3], high[3]) == (2.0, 2.0)
    assert all(np.isnan(bound).all() for bound in bootstrap_means(np.array([[1.0, 2.0]])))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=8))
def test_pairs_are_a_paired_t_test(pairs: list[tuple[float, float]]) -> None:
    first, second = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    found = difference(dict(enumerate(first)), dict(enumerate(second)))
    assert found.mean == pytest.approx(float((second - first).mean()), abs=1e-9)
    if np.ptp(second - first) > 1e-6:
        expected = stats.ttest_rel(second, first).confidence_interval(0.95)
        assert [found.low, found.high] == pytest.approx([expected.low, expected.high], abs=1e-6)


def test_without_pairs_it_is_welchs_interval() -> None:
    a, b = [1.0, 2.0, 4.0], [7.0, 7.5, 9.0, 12.0]
    found = difference({("a", i): v for i, v in enumerate(a)}, {("b", i): v for i, v in enumerate(b)})
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])
    assert (found.method, found.n, found.is_clear) == ("Welch", 7, True)


def test_too_few_repeats_tell_nothing() -> None:
    assert difference({0: 1.0}, {0: 2.0}).is_clear is None
    assert difference({0: 1.0, 1: 2.0}, {2: 2.0}).is_clear is None


def test_noise_is_the_residual_of_a_two_way_anova() -> None:
    generator = np.random.default_rng(2)
    table = generator.normal(0, 1, (6, 3)) + 10 * np.arange(6)[:, None] + 5 * np.arange(3)
    found = pooled_noise([{seed: row[seed] for seed in range(3)} for row in table])
    rows = pd.DataFrame([(i, j, table[i, j]) for i in range(6) for j in range(3)], columns=["c", "r", "y"])
    expected = anova_lm(ols("y ~ C(c) + C(r)", rows).fit()).loc["Residual"]
    assert found is not None
    assert [found.variance, found.freedom] == pytest.approx([expected["mean_sq"], expected["df"]])


def test_noise_counts_whole_rows_only() -> None:
    rows = [{0: 1.0, 1: 2.0}, {0: 3.0}, {0: 4.0, 1: 6.0}, {0: 2.0, 1: 3.0}]
    found = pooled_noise(rows)
    assert found is not None
    assert found.configurations == 3
    assert pooled_noise(rows[:3]) is None
    assert pooled_noise([{0: 1.0}] * 5) is None
    assert pooled_noise([]) is None


def test_intervals_with_pooled_noise_cover_the_truth() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        # Two seeds, eight configurations; the seed shifts all of them.
        table = generator.normal(0, 1, (8, 2)) + generator.normal(0, 5, 2)
        rows = [{seed: row[seed] for seed in range(2)} for row in table]
        found = difference(rows[0], rows[1], pooled_noise(rows))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high
    # The 99.9 % range of a binomial with 400 trials at 95 %.
    assert 365 <= covered <= 394


def test_five_pairs_speak_for_themselves() -> None:
    a, b = ({i: float(i * k) for i in range(5)} for k in (1, 2))
    assert difference(a, b, Noise(1e9, 10, 5)).method == "paired t"

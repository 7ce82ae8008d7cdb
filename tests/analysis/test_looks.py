"""Margins of a sweep that is looked at while its runs come in: against simulated sweeps, and in the words."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from analysis_runs import MakeRun, result

from ddrsa.analysis.analysis import analyze
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.looks import Looks
from ddrsa.analysis.sentences import sentences
from ddrsa.analysis.statistics import AtTheEnd, Difference, Repeats, pooled_noise
from ddrsa.repeats import shared_noise
from ddrsa.rundir.files import write_json
from ddrsa.rundir.sweep_files import MANIFEST

Compare = Callable[[Repeats, Repeats], Difference]


def _looked(table: np.ndarray) -> Compare:
    return Looks(math.comb(len(table), 2), shared_noise(table), len(table)).difference


def _at_the_end(table: np.ndarray) -> Compare:
    return AtTheEnd(pooled_noise([dict(enumerate(row)) for row in table])).difference


def ever_clear(noise: np.ndarray, compare: Callable[[np.ndarray], Compare]) -> bool:
    """Whether the best of the configurations is called better than any other, at one look at least."""
    for seen in range(2, noise.shape[1] + 1):
        table = noise[:, :seen]
        first, *others = np.argsort(table.mean(axis=1))
        best, difference = dict(enumerate(table[first])), compare(table)
        if any(difference(best, dict(enumerate(table[other]))).is_clear for other in others):
            return True
    return False


@pytest.mark.parametrize("configurations", [2, 5])
def test_noise_does_not_become_a_difference_by_looking_often(configurations: int) -> None:
    """After each seed up to the 20th; with two configurations the noise is that of their pairs."""
    noise = np.random.default_rng(1).normal(size=(200, configurations, 20))
    assert np.mean([ever_clear(each, _looked) for each in noise]) <= 0.05
    assert np.mean([ever_clear(each, _at_the_end) for each in noise[:60]]) > 0.15


def test_a_real_difference_is_told() -> None:
    noise = np.random.default_rng(2).normal(size=(50, 6, 15))
    noise[:, 0] -= 2.5
    assert np.mean([ever_clear(each, _looked) for each in noise]) > 0.95


def _write(make_run: MakeRun) -> None:
    # One look at five pairs calls it clear: 0.8 +- 0.62.
    for seed, worse in enumerate([0.3, 1.5, 0.9, 0.4, 0.9]):
        make_run(seed=seed, batch_size=32, result=result(10.0 + seed))
        make_run(seed=seed, batch_size=64, result=result(10.0 + seed + worse))


def test_words_say_for_what_the_interval_allows(sweep_dir: Path, make_run: MakeRun) -> None:
    _write(make_run)
    (once,) = analyze({"": sweep_dir}, sweep_dir, Choice()).answers
    (often,) = analyze({"": sweep_dir}, sweep_dir, Choice(), looks=True).answers
    assert (once.verdict, once.looks) == ("clear", None)
    assert (often.verdict, often.looks) == ("noise", 1)
    assert not any("look" in sentence for sentence in sentences(once))
    said = " ".join(sentences(often))
    assert "(95 % interval that holds at every look " in said
    assert "paired confidence sequence, n = 5)" in said
    assert "noise passes for a difference in at most 5 % of such sweeps, however often one looks" in said


def test_comparisons_to_come_count_too(sweep_dir: Path, make_run: MakeRun) -> None:
    _write(make_run)
    (of_two,) = analyze({"": sweep_dir}, sweep_dir, Choice(), looks=True).answers
    planned = [
        {"directory": f"r{size}-{seed}", "overrides": [], "config": {}, "values": {"batch_size": size, "seed": seed}}
        for size in (32, 64, 128, 256)
        for seed in range(5)
    ]
    write_json(sweep_dir / MANIFEST, {"runs": planned})
    (of_four,) = analyze({"": sweep_dir}, sweep_dir, Choice(), looks=True).answers
    write_json(sweep_dir / MANIFEST, {"runs": [], "search": {"n_trials": 40}})
    (of_search,) = analyze({"": sweep_dir}, sweep_dir, Choice(), looks=True).answers
    assert [found.looks for found in (of_two, of_four, of_search)] == [1, 6, 780]
    tops = [found.margin.high or 0.0 for found in (of_two, of_four, of_search) if found.margin]
    assert 1 < tops[0] < tops[1] < tops[2]
    assert "for all 780 pairs of configurations together" in " ".join(sentences(of_search))


def test_without_common_repeats_there_is_no_interval() -> None:
    found = Looks(1).difference({(0,): 1.0, (1,): 1.1}, {(2,): 3.0, (3,): 3.1})
    assert found.mean == pytest.approx(2.0)
    assert found.is_clear is None

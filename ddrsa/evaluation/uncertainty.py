"""How well metrics are known: their intervals by the bootstrap over units, and the sums over units that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.data.sequences import Sequences
from ddrsa.survival import metrics
from ddrsa.survival.calibration.resampled import resampled_errors
from ddrsa.survival.landmarks import landmark_intervals
from ddrsa.survival.pairs import pairs_by_unit, pairs_of_equal_age, resampled_concordance, weighted_pairs
from ddrsa.survival.unit_bootstrap import LEVEL, RESAMPLES, UnitSums, draws, interval

Floats = metrics.Floats


@dataclass(frozen=True, eq=False)
class Judged:
    """The windows of `test` and what is forecast of them.

    time, event: (n,) of `observed_times`. age: (n,). survival, by_age: (n, L) of the forecasts and of the age alone.
    nll, constant_nll: (n,) of the forecasts and of one constant hazard. brier, age_brier: of `brier_scores` for both.
    censoring: of Uno's index.
    """

    test: Sequences
    time: Floats
    event: metrics.Bools
    age: Floats
    survival: Floats
    by_age: Floats
    nll: Floats
    constant_nll: Floats
    brier: tuple[Floats, metrics.Bools]
    age_brier: tuple[Floats, metrics.Bools]
    censoring: metrics.CensoringDistribution

    @cached_property
    def number(self) -> NDArray[np.int64]:
        """(n,) the unit of each window, from 0."""
        return np.searchsorted(self.test.starts, np.arange(self.test.num_rows), side="right") - 1

    @cached_property
    def predicted(self) -> Floats:
        """(n,) E[min(tau, L)]."""
        return np.asarray(self.survival.sum(1))

    @cached_property
    def pairs(self) -> dict[str, tuple[Floats, Floats]]:
        """The pairs, by unit, that each index of concordance counts, under its name."""
        windows = (self.time, self.event)
        kinds = [None, self.censoring.weight_of_pair]
        harrell, uno = weighted_pairs(*windows, self.predicted, self.number, kinds)
        return {
            "concordance_index": harrell,
            "concordance_index_ipcw": uno,
            "age_concordance_index": pairs_by_unit(*windows, self.by_age.sum(1), self.number),
            "landmark_concordance_index": pairs_of_equal_age(*windows, self.predicted, self.age, self.number),
        }

    @property
    def known(self) -> metrics.Bools:
        """(n,) whether min(tau, L) is known."""
        return self.event | (self.time >= self.survival.shape[1])

    @cached_property
    def sums(self) -> dict[str, UnitSums]:
        """The metrics that are a ratio of sums over units."""
        error, everything = self.predicted - self.time, np.ones(len(self.time), dtype=np.bool_)
        penalty = np.expm1(np.where(error < 0, -error / 13, error / 10))

        def of(values: Floats, counted: metrics.Bools, *, root: bool = False) -> UnitSums:
            return UnitSums.of(values, counted, self.number, self.test.num_units, root=root)

        return {
            "rul_mae": of(np.abs(error), self.event),
            "rul_rmse": of(error**2, self.event, root=True),
            "restricted_rmse": of(error**2, self.known, root=True),
            "nasa_score": of(penalty, self.event),
            "nll": of(self.nll, everything),
            "constant_hazard_nll": of(self.constant_nll, everything),
            "nll_below_constant_hazard": of(self.constant_nll - self.nll, everything),
        }


def by_unit(judged: Judged) -> dict[str, Any]:
    """The sums over units by which two runs are compared on the same units, and the units."""
    named = ("rul_mae", "rul_rmse", "restricted_rmse", "nasa_score", "nll")
    return {"unit": judged.test.unit_ids.tolist(), **{name: judged.sums[name].to_dict() for name in named}}


def confidence_intervals(judged: Judged, covered: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The intervals of the metrics under their names; those of the policies are not among them.

    covered: for each kind of intervals of the RUL and level the sums of `coverage_sums`.
    """
    weights = draws(judged.test.num_units)
    resampled = {name: each.resampled(weights) for name, each in judged.sums.items()}
    windows = (judged.time, judged.event)
    resampled |= {name: resampled_concordance(pairs, weights) for name, pairs in judged.pairs.items()}
    resampled |= {
        "concordance_above_age": resampled["concordance_index"] - resampled["age_concordance_index"],
        "integrated_brier_score": _integrated_brier(judged, judged.brier, weights),
        "age_integrated_brier_score": _integrated_brier(judged, judged.age_brier, weights),
    }
    errors = resampled_errors(judged.survival, *windows, judged.number, weights)
    everything = np.ones(len(judged.time), dtype=np.bool_)
    probability = UnitSums.of(1 - judged.survival[:, -1], everything, judged.number, judged.test.num_units)
    share = errors.pop("event_share")
    return {
        "level": LEVEL,
        "resamples": RESAMPLES,
        **{name: interval(values) for name, values in resampled.items()},
        "landmarks": landmark_intervals(
            *windows, judged.predicted, judged.brier, judged.age_brier, judged.age, judged.number, weights
        ),
        "calibration": {
            "mean_event_probability": interval(probability.resampled(weights)),
            "event_share": interval(share),
            "error": {name: interval(values) for name, values in errors.items()},
        },
        **{
            kind: {
                level: {name: interval(each.resampled(weights)) for name, each in sums.items()}
                for level, sums in levels.items()
            }
            for kind, levels in covered.items()
        },
    }


def _integrated_brier(judged: Judged, brier: tuple[Floats, metrics.Bools], weights: Floats) -> Floats:
    scores, counts = (np.add.reduceat(part, judged.test.starts, axis=0, dtype=np.float64) for part in brier)
    return metrics.integrated(metrics.ratio(weights @ scores, weights @ counts))

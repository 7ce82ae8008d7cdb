"""The concordance indices and the integrated Brier score of 13,000 windows, beside scikit-survival's.

python benchmarks/survival_metrics.py
"""

from __future__ import annotations

import statistics

import numpy as np
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw
from sksurv.util import Surv
from timing import alternate

from ddrsa.survival import metrics

NUM_WINDOWS, HORIZON = 13_000, 128


def main() -> None:
    rng = np.random.default_rng(0)
    tau = rng.integers(0, 300, NUM_WINDOWS).astype(float)
    leaves = np.where(rng.random(NUM_WINDOWS) < 0.2, rng.integers(0, HORIZON, NUM_WINDOWS), np.inf)
    time = np.minimum(np.minimum(tau, leaves), HORIZON)
    event = (tau <= leaves) & (tau < HORIZON)
    predicted = tau + rng.normal(0, 20, NUM_WINDOWS)
    steps = np.arange(HORIZON, dtype=float)
    survival = 1 / (1 + np.exp((steps - predicted[:, None]) / 10))
    censoring = metrics.CensoringDistribution.fit(time, event)
    structured = Surv.from_arrays(event, time)
    pairs = {
        "Harrell's concordance": (
            lambda: metrics.concordance_index(time, event, predicted),
            lambda: concordance_index_censored(event, time, -predicted)[0],
        ),
        "Uno's concordance": (
            lambda: metrics.concordance_index(time, event, predicted, censoring),
            lambda: concordance_index_ipcw(structured, structured, -predicted, tau=HORIZON - 0.5)[0],
        ),
        "integrated Brier score": (
            lambda: metrics.integrated_brier_score(time, event, survival, censoring),
            lambda: np.trapezoid(brier_score(structured, structured, survival, steps)[1], steps) / (HORIZON - 1),
        ),
    }
    print(f"{NUM_WINDOWS} windows, horizon {HORIZON}")
    for name, (ours, theirs) in pairs.items():
        mine, others = (statistics.median(times) * 1e3 for times in alternate(ours, theirs, rounds=5))
        difference = abs(float(ours()) - float(theirs()))
        print(f"{name:24} {mine:8.1f} ms, scikit-survival {others:8.1f} ms, difference of the results {difference:.1e}")


if __name__ == "__main__":
    main()

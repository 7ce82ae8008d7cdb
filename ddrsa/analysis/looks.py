"""Margins of a sweep that is looked at while its runs come in: they hold at every look, and for all comparisons.

An interval at 95 % that is drawn anew after each run leaves out the truth at one look or another far more often than in
5 % of the sweeps, and noise looks like a winner. These are confidence sequences (`ddrsa.anytime`) at 1 - 0.05 / M for M
pairs of configurations: which two are compared depends on what was seen. By Bonferroni any of them is wrong at any look
in at most 5 % of the sweeps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddrsa.analysis.collect import Sweep, is_repeat_key
from ddrsa.analysis.statistics import CONFIDENCE, Difference, Repeats
from ddrsa.repeats import Shared, gap_of, shared_noise
from ddrsa.rundir.manifest import read_manifest
from ddrsa.texts import count_of

# Below that many configurations with repeats, the noise of a run is not taken from all of them.
_FEWEST_CONFIGURATIONS = 3


@dataclass(frozen=True)
class Looks:
    """What a margin has to allow for. comparisons: the pairs of configurations of the whole sweep, those to come too.

    shared: the noise of a run; None where too few configurations have repeats. behind: how many show it.
    """

    comparisons: int
    shared: Shared | None = None
    behind: int = 0

    def difference(self, first: Repeats, second: Repeats) -> Difference:
        """`second` minus `first` over the repeats that both have, with a confidence sequence; without one, no interval.

        The noise is that which all configurations show, as in a race; where more than 3 pairs are noisier, theirs.
        """
        common = [repeat for repeat in first if repeat in second]
        if not common:
            means = [float(np.mean(list(values.values()))) for values in (first, second)]
            return Difference(means[1] - means[0], None, None, None, len(first) + len(second))
        pairs = np.array([second[repeat] - first[repeat] for repeat in common])
        gap = gap_of(pairs, (1 - CONFIDENCE) / self.comparisons, len(pairs), self.shared)
        assert gap is not None
        if not math.isfinite(gap.low):
            return Difference(gap.mean, None, None, None, gap.count)
        method = "paired confidence sequence" + (
            f" with the noise of {count_of(self.behind, 'configuration')}" if self.shared is not None else ""
        )
        return Difference(gap.mean, gap.low, gap.high, method, gap.count)


def looks_at(sweep: Sweep, values: Sequence[Repeats]) -> Looks:
    """What to allow for. values: those of the better configurations of a data set, by which the noise is judged."""
    repeats = sorted({repeat for one in values for repeat in one}, key=repr)
    table = np.array([[one.get(repeat, np.nan) for repeat in repeats] for one in values])
    behind = int(((~np.isnan(table)).sum(axis=1) > 1).sum()) if table.size else 0
    shared = shared_noise(table) if behind >= _FEWEST_CONFIGURATIONS else None
    return Looks(max(math.comb(_configurations(sweep), 2), 1), shared, behind)


def _configurations(sweep: Sweep) -> int:
    """How many configurations the whole sweep compares: those that have begun, or more where its plan has more."""
    names = ["sweep", "dataset", "model", *sweep.hyperparameters]
    begun = {repr(row) for row in sweep.runs[list(dict.fromkeys(names))].itertuples(index=False, name=None)}
    planned = 0
    for source in sweep.sources.values():
        try:
            manifest = read_manifest(source) or {}
        except ValueError:
            continue  # the runs speak for themselves
        entries = [*manifest["runs"], *manifest.get("earlier_runs", [])] if manifest else []
        of_search = (manifest.get("search") or {}).get("n_trials")
        planned += max(len({_configuration(entry.get("values") or {}) for entry in entries}), _count(of_search))
    return max(len(begun), planned)


def _configuration(values: Mapping[str, Any]) -> str:
    return repr(sorted((key, repr(value)) for key, value in values.items() if not is_repeat_key(key)))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0

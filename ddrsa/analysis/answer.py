"""The answer of a sweep, as data: which configuration is best, how sure that is, and what to do next."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ddrsa.analysis.candidates import Candidate
from ddrsa.analysis.edges import Edge
from ddrsa.analysis.paired_units import OnUnits
from ddrsa.analysis.statistics import Difference, Estimate

# What the margin between the best and the next configuration is worth.
CLEAR, NOISE, UNKNOWN, ONLY = "clear", "noise", "unknown", "only"


@dataclass(frozen=True)
class NextStep:
    """Something to run: the reason, and the shell commands."""

    reason: str
    commands: list[str]


@dataclass(frozen=True)
class Answer:
    """The answer for one data set.

    best, runner_up: the two best configurations by the mean of `metric` on the units of `select_by`; None where no
    completed run has that metric, and where there is one configuration only. test: what the best has on the test units.
    test_interval: of `test`, at 95 % by the bootstrap over test units, where there is one run of the best.
    on_units: the next minus the best on the test units that both have. baselines: a sentence on each baseline that the
    best network is compared with. policy: sentences on the promise and the cost of the policy of the best.
    margin: how much worse the next is (positive: worse, whichever direction is better), with its interval at 95 %.
    looks: where that holds at every look, for how many pairs together; None for an interval of one look.
    verdict: `clear` (the interval leaves out zero), `noise` (it does not), `unknown` (too few repeats for an interval),
    `only` (there is nothing to compare with). tied: how many other configurations cannot be told apart from the best;
    untested: how many have too few repeats to tell. by_model: the best of each model, the best first. edges: the swept
    numbers whose best value lies at the edge of what was tried. command: does the best again; command_does: how.
    """

    dataset: str
    metric: str
    select_by: str
    higher_is_better: bool
    states: dict[str, int]
    configurations: int
    best: Candidate | None = None
    runner_up: Candidate | None = None
    test: Estimate | None = None
    test_interval: tuple[float, float] | None = None
    margin: Difference | None = None
    looks: int | None = None
    on_units: OnUnits | None = None
    baselines: list[str] = field(default_factory=list)
    policy: list[str] = field(default_factory=list)
    verdict: str = ONLY
    tied: int = 0
    untested: int = 0
    by_model: list[Candidate] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    next_steps: list[NextStep] = field(default_factory=list)
    command: str | None = None
    command_does: str | None = None
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Everything as objects, lists, texts and numbers, for JSON and YAML."""
        return plain(asdict(self))


def plain(value: Any) -> Any:
    """`value` with numpy's numbers as Python's own, NaN as None and tuples as lists."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value

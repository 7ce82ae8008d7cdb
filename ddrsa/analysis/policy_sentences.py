"""The promise and the cost of a run's policy, in sentences."""

from __future__ import annotations

from pathlib import Path

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import nested


def policy_sentences(directory: Path) -> list[str]:
    """What the OTI policy of a run promises, and what it costs in money; nothing where it has neither."""
    try:
        result = RunDirectory(directory).read_test_metrics()
    except ValueError:
        return []
    said = []
    sentence = nested(result, "policies.oti.promise.sentence")
    if sentence is not None:
        said.append(f"Promise of its policy: {sentence}.")
    costs = nested(result, "costs")
    tuned, never, perfect = (nested(costs, f"{key}.per_year") for key in ("tuned.oti", "run_to_failure", "perfect"))
    if all(isinstance(year, int | float) for year in (tuned, never, perfect)):
        currency = f" {costs['currency']}" if costs["currency"] else ""
        said.append(
            f"Expected cost by its oti policy, tuned on validation units: {tuned:,.0f}{currency} per unit and year on "
            f"the test units; without interventions {never:,.0f}, with one just in time before each failure "
            f"{perfect:,.0f}."
        )
    return said

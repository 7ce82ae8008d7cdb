"""Values of a trial: returned by its task, or metrics that its run wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import nested


def trial_values(
    objective: str | Sequence[str] | None, count: int, returned: Any, directory: Path, group: str | None = None
) -> list[float]:
    """The `count` values of a trial whose run in `directory` returned `returned`.

    objective: None for what was returned (a number, or a list of as many as there are objectives); a metric or a list
    of them, as `metric_value` finds it in test_metrics.json, or where there is none in the mapping that was returned;
    it explains `group` too.

    Raises ValueError where there is no such number.
    """
    if objective is not None:
        names = [objective] if isinstance(objective, str) else objective
        metrics: Mapping[str, Any] | None = RunDirectory(directory).read_test_metrics()
        if metrics is None and isinstance(returned, Mapping):
            metrics = returned
        if metrics is None:
            raise ValueError(
                f"hydra.sweeper.objective={objective}: the run wrote no test_metrics.json, and its task returned no "
                "mapping of metrics"
            )
        return [_number(metric_value(metrics, name, group), f"the metric {name}") for name in names]
    if count == 1:
        return [_number(returned, "the returned value")]
    if not isinstance(returned, Sequence) or isinstance(returned, str) or len(returned) != count:
        raise ValueError(f"the task returned {returned!r}: a list of {count} numbers is expected, one per objective")
    return [_number(value, "a returned value") for value in returned]


def metric_value(metrics: Mapping[str, Any], name: str, group: str | None = None) -> Any:
    """The metric `name` of test_metrics.json: that of its `group` where it has one of this name, else as it stands.

    A search that chose by what its choice is judged by would be judged too well: so the group may be of other data.
    Dots go into groups. Raises ValueError where there is no such metric, with those that there are.
    """
    preferred = None if group is None else nested(metrics, group)
    for place in (preferred, metrics):
        if (found := nested(place, name)) is not None:
            return found
    groups = [each for each in (metrics, preferred) if isinstance(each, Mapping)]
    known = {key for each in groups for key, value in each.items() if isinstance(value, int | float)}
    raise ValueError(f"hydra.sweeper.objective={name} is no metric of the run; there are {', '.join(sorted(known))}")


def _number(value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} is {value!r}: a number is expected") from None
    if number != number:
        raise ValueError(f"{what} is NaN")
    return number

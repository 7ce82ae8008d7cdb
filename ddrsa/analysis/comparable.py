"""Runs that cannot be compared: what they forecast, or on which data, is not the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ddrsa.analysis.read_run import Run
from ddrsa.rundir.states import State

# Keys of a data set that say how its units are split and scaled, not what there is to forecast.
_OF_THE_SPLIT = ("scaling", "test_fraction", "validation_fraction", "policy_fraction", "split_seed", "simulation_seed")


def part_incomparable(runs: Sequence[Run]) -> dict[str, str]:
    """Give runs of one data set that cannot be compared names of their own, `simulated (horizon 8)`.

    Each such name is then a data set to everything that ranks, draws or tells. A run that has no result goes with those
    of its horizon. Returns for each new name the reason.
    """
    reasons: dict[str, str] = {}
    for name in dict.fromkeys(str(run.status["dataset"]) for run in runs):
        reasons |= _part(name, [run for run in runs if run.status["dataset"] == name])
    return reasons


def _part(name: str, runs: Sequence[Run]) -> dict[str, str]:
    said = {id(run): _comparison(run) for run in runs if run.status["state"] == State.COMPLETED}
    known = [value for value in said.values() if value]
    differing = [key for key in ("horizon", "time_unit", "data") if len({v[key] for v in known if key in v}) > 1]
    if not differing:
        return {}
    keys = _keys_of_the_data([run for run in runs if said.get(id(run))], said) if "data" in differing else []
    labels = {id(run): _label(run, said[id(run)], differing, keys) for run in runs if said.get(id(run))}
    for run in runs:
        label = labels.get(id(run)) or _label_of_unfinished(run, runs, labels)
        if label:
            run.status["dataset"] = f"{name} ({label})"
    reason = _reason(differing, keys)
    return {f"{name} ({label})": reason for label in dict.fromkeys(labels.values())}


def _comparison(run: Run) -> dict[str, Any]:
    """What the run says it measured; of an earlier version's, its horizon."""
    if run.comparison:
        return dict(run.comparison)
    horizon = run.config.get("horizon")
    return {"horizon": horizon} if "num_event_windows" in run.metrics and isinstance(horizon, int) else {}


def _label(run: Run, said: Mapping[str, Any], differing: Iterable[str], keys: Sequence[str]) -> str:
    parts = []
    for key in differing:
        if key == "data" and keys:
            parts += [f"{name}={run.config.get(name)}" for name in keys]
        elif key in said:
            parts.append(str(said[key]) if key == "time_unit" else f"{key} {said[key]}")
    return ", ".join(parts)


def _label_of_unfinished(run: Run, runs: Sequence[Run], labels: Mapping[int, str]) -> str | None:
    def place(one: Run) -> list[Any]:
        common = ("dataset.step",) if one.config.get("dataset.evaluation_step") is not None else ()
        own = [key for key in one.config if key.startswith("dataset.") and not key.endswith((*_OF_THE_SPLIT, *common))]
        return [one.config.get("evaluation_horizon") or one.config.get("horizon"), *((k, one.config[k]) for k in own)]

    found = {labels[id(other)] for other in runs if id(other) in labels and place(other) == place(run)}
    return found.pop() if len(found) == 1 else None


def _keys_of_the_data(runs: Sequence[Run], said: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """The keys of the data set by whose values its hashes can be told apart; none where files have changed."""
    names = dict.fromkeys(key for run in runs for key in run.config if key.startswith("dataset."))
    names = dict.fromkeys(key for key in names if not key.endswith(_OF_THE_SPLIT))
    by_hash: dict[Any, list[Run]] = {}
    for run in runs:
        by_hash.setdefault(said[id(run)].get("data"), []).append(run)
    values = {key: [{repr(run.config.get(key)) for run in group} for group in by_hash.values()] for key in names}
    telling = [
        key for key, found in values.items() if all(len(each) == 1 for each in found) and len(set().union(*found)) > 1
    ]
    together = {tuple(sorted(repr(group[0].config.get(key)) for key in telling)) for group in by_hash.values()}
    return telling if len(together) == len(by_hash) else []


def _reason(differing: Sequence[str], keys: Sequence[str]) -> str:
    texts = {
        "horizon": "another horizon, so other windows count and another cap; evaluation_horizon=N, with N no more than "
        "the smallest, measures all alike",
        "time_unit": "another unit of time",
        "data": f"other data ({', '.join(keys)})" if keys else "files with another content under the same name",
    }
    if "dataset.step" in keys:
        texts["data"] += (
            "; dataset.evaluation_step, a whole number of each step, and evaluation_horizon, counted in it, measure "
            "all alike"
        )
    return f"not compared with the other runs of this data set, which have {' and '.join(texts[k] for k in differing)}"

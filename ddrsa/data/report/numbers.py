"""Numbers of a data report: units, lifetimes, censoring, and sensors that tell nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.data.sequences import Sequences
from ddrsa.texts import count_of


def describe_part(sequences: Sequences) -> dict[str, Any]:
    """The numbers of one part of a data set, as plain lists and dictionaries.

    lifetimes: of the units whose failure is known, from the first row to it. censored: how long the others are known
    to have lived. Both in rows; None where there is no such unit. constant_features have one value in all rows,
    static_features one value in each unit.
    """
    failed = sequences.unit_event_observed
    unit_rows = np.diff(np.append(sequences.starts, sequences.num_rows))
    features = pd.DataFrame(sequences.features, columns=list(sequences.feature_names))
    low, high = features.min(), features.max()
    constant = (low == high).to_numpy()
    first = sequences.features[sequences.starts]
    static = ~constant & (sequences.features == np.repeat(first, unit_rows, axis=0)).all(axis=0)
    names = np.array(sequences.feature_names)
    return {
        "units": sequences.num_units,
        "groups": None if sequences.group is None else len(np.unique(sequences.group)),
        "failed_units": int(failed.sum()),
        "censored_units": int((~failed).sum()),
        "rows": sequences.num_rows,
        "rows_per_unit": _spread(unit_rows),
        "lifetimes": _spread(sequences.lifetimes[failed]),
        "censored": _spread(sequences.lifetimes[~failed]),
        "constant_features": names[constant].tolist(),
        "static_features": names[static].tolist(),
        "features": [
            {"name": name, "min": float(a), "median": float(m), "max": float(b)}
            for name, a, m, b in zip(names.tolist(), low, features.median(), high, strict=True)
        ],
    }


def _spread(values: Any) -> dict[str, float] | None:
    if not len(values):
        return None
    return {"min": float(np.min(values)), "median": float(np.median(values)), "max": float(np.max(values))}


def as_text(report: dict[str, Any]) -> str:
    """The report of `describe.py` for a terminal."""
    lines = [f"{report['dataset']}: times are in {report['time_unit']}"]
    for name, part in report["parts"].items():
        groups = "" if part["groups"] is None else f" in {count_of(part['groups'], 'group')}"
        lines += [
            "",
            f"{name.replace('_', ' ')}: {count_of(part['units'], 'unit')}{groups}, {count_of(part['rows'], 'row')}, "
            f"{count_of(len(part['features']), 'feature')}",
            f"  failed       {part['failed_units']:7d}   lifetime      {_range(part['lifetimes'])}",
            f"  censored     {part['censored_units']:7d}   known to live {_range(part['censored'])}",
            f"  rows of a unit         {'':10}{_range(part['rows_per_unit'])}",
            f"  constant     {_listed(part['constant_features'])}",
            f"  same in each row of a unit: {_listed(part['static_features'])}",
            "",
            f"  {'feature':24}{'min':>12}{'median':>12}{'max':>12}",
            *(
                f"  {feature['name']:24}{feature['min']:12.5g}{feature['median']:12.5g}{feature['max']:12.5g}"
                for feature in part["features"]
            ),
        ]
    lines += ["", "missing, repaired, left out:", *(f"  {note}" for note in report["notes"] or ["nothing"])]
    return "\n".join([*lines, "", *(f"wrote {path}" for path in report["plots"])])


def _range(spread: dict[str, float] | None) -> str:
    if spread is None:
        return "-"
    return f"{spread['min']:g} to {spread['max']:g}, median {spread['median']:g}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

"""Scaling of features, fitted on training units only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.data.cmapss.text_format import SETTINGS
from ddrsa.data.conditions import find_conditions, nearest_condition
from ddrsa.data.options import SCALINGS
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Scaler:
    """(x - offset) / scale, with one offset and scale per operating condition and kept feature.

    feature_names: the F features it was fitted on. kept: (G,) the indices of those that are not constant.
    centres: (C, 3) settings of the operating conditions; (0, 3) where there is no distinction, then C below is 1.
    offset, scale: (C, G).
    """

    method: str
    feature_names: tuple[str, ...]
    kept: NDArray[np.int64]
    centres: NDArray[np.float64]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]

    @property
    def kept_names(self) -> tuple[str, ...]:
        return tuple(self.feature_names[index] for index in self.kept)

    def apply(self, sequences: Sequences) -> Sequences:
        """The sequences with scaled features, without those that were constant in training. Nothing is clipped.

        Raises DataError where the features are not those it was fitted on.
        """
        if sequences.feature_names != self.feature_names:
            raise DataError(
                f"the data have the features {', '.join(sequences.feature_names)}, "
                f"the scaler was fitted on {', '.join(self.feature_names)}"
            )
        values = sequences.features[:, self.kept].astype(np.float64)
        if len(self.centres):
            condition = nearest_condition(_settings(sequences), self.centres)
        else:
            condition = np.zeros(sequences.num_rows, dtype=np.int64)
        scaled = (values - self.offset[condition]) / self.scale[condition]
        return sequences.with_features(scaled.astype(np.float32), self.kept_names)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, for a checkpoint."""
        return {
            "method": self.method,
            "feature_names": list(self.feature_names),
            "kept": self.kept.tolist(),
            "centres": self.centres.tolist(),
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Scaler:
        """The scaler of which `to_dict` gave the content."""
        return cls(
            method=content["method"],
            feature_names=tuple(content["feature_names"]),
            kept=np.array(content["kept"], dtype=np.int64),
            centres=np.array(content["centres"], dtype=np.float64).reshape(-1, len(SETTINGS)),
            offset=np.array(content["offset"], dtype=np.float64),
            scale=np.array(content["scale"], dtype=np.float64),
        )


def fit_scaler(sequences: Sequences, method: str) -> Scaler:
    """Fit on the rows of the training units.

    method: "minmax" to [-1, 1]; "standard" to mean 0 and deviation 1; "condition" to mean 0 and deviation 1 within
        each operating condition, the settings themselves to [-1, 1] over all.
    Features that are constant (for "condition": within every condition) are dropped.

    Raises ConfigError for another method, or "condition" without settings; DataError where all features are constant.
    """
    if method not in SCALINGS:
        raise ConfigError(f"dataset.scaling={method}: allowed is {', '.join(SCALINGS)}")
    values = sequences.features.astype(np.float64)
    centres = np.empty((0, len(SETTINGS)))
    low, high = values.min(axis=0), values.max(axis=0)
    varies = high > low
    if method == "minmax":
        offset, scale = (low + high)[None] / 2, (high - low)[None] / 2
    elif method == "standard":
        offset, scale = values.mean(axis=0)[None], values.std(axis=0)[None]
    else:
        centres = find_conditions(_settings(sequences))
        condition = nearest_condition(_settings(sequences), centres)
        offset, scale, varies = _fit_conditions(values, condition, len(centres))
        columns = [sequences.feature_names.index(name) for name in SETTINGS]
        offset[:, columns] = (low + high)[columns] / 2
        scale[:, columns] = (high - low)[columns] / 2
        varies[columns] = (high > low)[columns]
    kept = np.flatnonzero(varies)
    if not len(kept):
        raise DataError("every feature is constant on the training units, nothing can be learned")
    return Scaler(method, sequences.feature_names, kept, centres, offset[:, kept], scale[:, kept])


def _fit_conditions(
    values: NDArray[np.float64], condition: NDArray[np.int64], num_conditions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Mean and deviation (C, F) within each condition, and whether a feature (F,) varies within any."""
    groups = [values[condition == number] for number in range(num_conditions)]
    mean = np.array([group.mean(axis=0) for group in groups])
    deviation = np.array([group.std(axis=0) for group in groups])
    varies = (np.array([np.ptp(group, axis=0) for group in groups]) > 0).any(axis=0)
    # Where a sensor hardly moves within one condition (its last digit flips once in a thousand cycles), its own
    # deviation would turn that flip into tens of deviations. So it is at least the pooled one of all conditions.
    share = np.array([len(group) for group in groups]) / len(values)
    pooled = np.sqrt((share[:, None] * deviation**2).sum(axis=0))
    return mean, np.maximum(deviation, pooled), np.asarray(varies)


def _settings(sequences: Sequences) -> NDArray[np.float64]:
    """(N, 3) the operating settings."""
    missing = [name for name in SETTINGS if name not in sequences.feature_names]
    if missing:
        raise ConfigError(f"dataset.scaling is 'condition', but the data have no feature {missing[0]}")
    columns = [sequences.feature_names.index(name) for name in SETTINGS]
    return sequences.features[:, columns].astype(np.float64)

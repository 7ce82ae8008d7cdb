"""What the tests of the data sets share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ddrsa.data.sequences import Sequences


@pytest.fixture
def make_sequences() -> Callable[..., Sequences]:
    """Units of given lengths, numbered from 1, with random features; all ended by their failure unless censored."""

    def make(lengths: tuple[int, ...], num_features: int = 3, censored: tuple[int, ...] = ()) -> Sequences:
        unit = np.repeat(np.arange(1, len(lengths) + 1), lengths)
        time = np.concatenate([np.arange(length)[::-1] for length in lengths])
        features = np.random.default_rng(0).normal(size=(len(unit), num_features))
        return Sequences(
            features.astype(np.float32),
            unit,
            time.astype(np.float32),
            ~np.isin(unit, censored),
            tuple(f"x{number}" for number in range(num_features)),
        )

    return make

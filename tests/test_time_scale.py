"""Times in the user's own unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.predict.doubts import Doubts
from ddrsa.predict.forecasts import Forecasts, rows_before_failure
from ddrsa.time_scale import TimeScale, windows

SIX_HOURS = TimeScale("days", 0.25, 21_600.0)
TENTH_SECOND = TimeScale("seconds", 0.1, 0.1)
OWN = TimeScale("km", 50.0)


@pytest.mark.parametrize(
    ("scale", "steps", "text"),
    [
        (SIX_HOURS, 1, "6 hours"),
        (SIX_HOURS, 4, "1 day"),
        (SIX_HOURS, 6, "36 hours"),
        (SIX_HOURS, 10, "2.5 days"),
        (SIX_HOURS, 0, "0 seconds"),
        (TENTH_SECOND, 1, "0.1 seconds"),
        (TENTH_SECOND, 600, "1 minute"),
        (TimeScale(), 1, "1 cycle"),
        (TimeScale(), 12.34, "12.3 cycles"),
        (OWN, 3, "150 km"),
    ],
)
def test_times_in_words(scale: TimeScale, steps: float, text: str) -> None:
    assert scale.text(steps) == text


@pytest.mark.parametrize(
    ("scale", "given", "steps"),
    [
        (SIX_HOURS, ["6h", "1d", "36h"], [1, 4, 6]),
        # A step of 15 hours: those at 0 and 15 h begin within a day.
        (TimeScale("hours", 15.0, 54_000.0), "1d", [2]),
        (TENTH_SECOND, ["1s", "500ms"], [10, 5]),
        (TimeScale(), [5, 10], [5, 10]),
        (OWN, 120, [3]),
        (SIX_HOURS, None, [1, 4, 28]),
        (TimeScale(), None, [5, 10, 20]),
        (OWN, None, [10, 20, 40]),
    ],
)
def test_windows_hold_the_steps_that_begin_within_them(scale: TimeScale, given: Any, steps: list[int]) -> None:
    assert [window.steps for window in windows(scale, given, 48)] == steps


@pytest.mark.parametrize(
    ("scale", "given", "message"),
    [
        (SIX_HOURS, 7, "within=7: of what\\? The data have dates: allowed is a duration above 0 such as 12h"),
        (SIX_HOURS, "soon", "within=soon: allowed is a duration"),
        (SIX_HOURS, "-1d", "within=-1d: allowed is a duration above 0"),
        (SIX_HOURS, "1h", "within=1h: that is less than a step of 6 hours"),
        (SIX_HOURS, "30d", "within=30d: the model looks 12 days ahead \\(horizon=48\\) and no further"),
        (TimeScale(), "7d", "within=7d: allowed is a number of cycles above 0"),
        (TimeScale(), float("nan"), "within=nan: allowed is"),
        (TimeScale(), True, "within=True: allowed is"),
    ],
)
def test_window_that_makes_no_sense(scale: TimeScale, given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        windows(scale, given, 48)


def test_table_has_the_unit_the_dates_and_the_probabilities() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(-2, 1, (3, 48)))
    times = pd.DatetimeIndex(["2025-03-01 06:00"] * 3).tz_localize("Europe/Berlin")
    index = pd.MultiIndex.from_arrays([["P1", "P2", "P3"], [1, 1, 1]], names=["unit", "cycle"])
    doubts = Doubts([""] * 3, np.zeros(3, bool))
    found = Forecasts(logits, index, np.array([8.0, np.nan, 0.0]), doubts, SIX_HOURS, times)
    table = found.predictions(0.8, windows(SIX_HOURS, ["1d", "12d"], 48))
    # By hand: from the hazards, step by step.
    hazards = 1 / (1 + np.exp(-logits.numpy()))
    for row in range(3):
        alive, mean, failed = 1.0, 0.0, []
        for hazard in hazards[row]:
            alive *= 1 - hazard
            mean += alive
            failed.append(1 - alive)
        assert table["rul"].iloc[row] == pytest.approx(mean / 4)
        assert table["failure_within_1d"].iloc[row] == pytest.approx(failed[3])
        assert table["failure_within_12d"].iloc[row] == table["failure_probability"].iloc[row]
        expected = times[row] + pd.Timedelta(hours=6 * mean)
        if failed[-1] < 0.5:  # more likely beyond the horizon: the mean is cut there, and no date
            assert pd.isna(table["rul_date"].iloc[row])
        else:
            assert abs(table["rul_date"].iloc[row] - expected) <= pd.Timedelta(seconds=1)
        assert table["rul_lower"].iloc[row] * 4 == sum(np.array(failed) < 0.1)
    assert set(table["time_unit"]) == {"days"}
    assert table["time_to_event"].tolist()[::2] == [2.0, 0.0]
    assert str(table["time"].dt.tz) == "Europe/Berlin"


def test_unit_that_failed_is_forecast_before_its_failure() -> None:
    # Of 6, 2 and 4 rows: failed, failed, running; and one whose failure comes 3 steps after its last row.
    tau = np.array([5, 4, 3, 2, 1, 0, 1, 0, 3, 2, 1, 0, 5, 4, 3], np.float32)
    unit = np.repeat([1, 2, 3, 4], [6, 2, 4, 3])
    units = Sequences(np.zeros((15, 1), np.float32), unit, tau, unit != 3, ("a",))
    assert rows_before_failure(units, 3).tolist() == [2, 6, 11, 14]
    assert rows_before_failure(units, 4).tolist() == [1, 6, 11, 13]
    assert rows_before_failure(units, 0).tolist() == [5, 7, 11, 14]

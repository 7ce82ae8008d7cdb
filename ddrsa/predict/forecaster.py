"""A trained run that forecasts for DataFrames: what `ddrsa.load` returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.predict.decision import Decision, find_decision
from ddrsa.predict.forecasts import Forecasts, forecast_units, last_rows
from ddrsa.predict.interval import interval_level
from ddrsa.predict.options import ROWS, PredictOptions
from ddrsa.predict.reasons import Reasoner
from ddrsa.predict.units import frame_units
from ddrsa.time_scale import time_scale, windows
from ddrsa.trained import TrainedRun, load_trained


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Forecasts and decisions of the model of `run`.

    `data` is a DataFrame with the columns that the files of the training have, a row for each unit and time; the
    column that says when a unit fails may be absent: then the units are still running. Each method returns a DataFrame
    with the index (unit, cycle), cycle being the number of the row within the unit, from 1. With rows="last" it has a
    row for each unit, the forecast at its last row; with rows="all" one for each of its rows.

    Every method raises DataError where the data cannot be used, ConfigError where an option is not allowed.
    """

    run: TrainedRun

    def predict(
        self,
        data: pd.DataFrame,
        *,
        rows: str = "last",
        level: float = 0.8,
        interval: str = "model",
        within: Any = None,
        time_unit: str | None = None,
    ) -> pd.DataFrame:
        """`rul`, `rul_median`, `rul_lower`, `rul_upper`, `failure_within_...`, `failure_probability`; `time_to_event`
        where it is known; `warnings` where inputs are far outside of the training or a forecast is no number, else
        missing. Where rows have a time, `time`, and where these are dates, `rul_date` and so on.

        Times are in `time_unit`, which is a column too; median and bounds are NaN at the horizon or beyond.

        level: of the interval of the RUL. interval: model, or conformal: the one whose coverage of a new unit was tuned
        on units that the run kept for it. within: "7d", or a list such as ["1d", "7d"]; numbers where rows have no
        dates; by default some that suit the horizon. time_unit: days, hours, minutes or seconds, where rows have dates.
        """
        self._options(level=level, time_unit=time_unit, interval=interval)
        chosen = windows(time_scale(self.run, time_unit), within, self.run.config.horizon)
        forecasts = self.forecast(data, rows=rows, time_unit=time_unit)
        return forecasts.predictions(interval_level(self.run, level, interval), chosen).join(forecasts.warnings())

    def survival(self, data: pd.DataFrame, *, rows: str = "last") -> pd.DataFrame:
        """S[k], the probability that the unit fails later than k cycles after the row, in column k = 0 .. L-1."""
        return self.forecast(data, rows=rows).survival()

    def hazards(self, data: pd.DataFrame, *, rows: str = "last") -> pd.DataFrame:
        """h[k], the probability that it fails k cycles after the row, if not before, in column k = 0 .. L-1."""
        return self.forecast(data, rows=rows).hazards()

    def decide(
        self,
        data: pd.DataFrame,
        *,
        rows: str = "last",
        policy: str = "oti",
        cost: Any = None,
        threshold: Any = None,
        window: Any = None,
        miss_rate: str | None = None,
        level: float = 0.8,
        within: Any = None,
        time_unit: str | None = None,
    ) -> pd.DataFrame:
        """`intervene`, and the `score` of the forecast that the policy compares with its `threshold`.

        `intervene` is missing where the forecast is no number, or the policy would go on by inputs that are far outside
        of what training saw.

        With rows="last" also `act_within`, by when an intervention that is due has to be done, and `reason`, the
        decision as a sentence. The options are those of `decision` and `predict`.
        """
        decision = self.decision(policy=policy, cost=cost, threshold=threshold, window=window, miss_rate=miss_rate)
        units, chosen, names = self._rows(data, rows)
        scale = time_scale(self.run, time_unit)
        forecasts = forecast_units(self.run, units, chosen, scale, names)
        decided = forecasts.decisions(decision)
        if rows != "last":
            return decided
        reasoner = Reasoner(self.run, decision, windows(scale, within, self.run.config.horizon), level)
        return decided.join(reasoner.sentences(units, chosen, forecasts))

    def decision(
        self,
        *,
        policy: str = "oti",
        cost: Any = None,
        threshold: Any = None,
        window: Any = None,
        miss_rate: str | None = None,
    ) -> Decision:
        """The policy with its threshold: the one that is given, or the one that the run was tuned to.

        policy: oti, time_to_event_threshold or failure_probability. cost: of oti, that of a missed failure as useful
        life. threshold: of the other two, a time or a probability. window: of failure_probability, a time. Times are
        in steps, or durations such as "7d". miss_rate: "5%" or "10%" of the validation units that the tuned threshold
        misses at most; None: the run's guarantee or costs, where it has them, or else 5%.
        """
        given = {"policy": policy, "cost": cost, "threshold": threshold, "window": window, "miss_rate": miss_rate}
        return find_decision(self.run, self._options(**given))

    def forecast(self, data: pd.DataFrame, *, rows: str = "last", time_unit: str | None = None) -> Forecasts:
        """The forecasts from which the other methods read their tables: for several tables of the same data."""
        units, chosen, names = self._rows(data, rows)
        return forecast_units(self.run, units, chosen, time_scale(self.run, time_unit), names)

    def _rows(self, data: pd.DataFrame, rows: str) -> tuple[Sequences, NDArray[np.int64], pd.Index]:
        """The units of `data`, the rows to forecast at, and the names of the units."""
        if rows not in ROWS:
            raise ConfigError(f"rows={rows}: allowed is {', '.join(ROWS)}")
        units, names = frame_units(self.run, data)
        return units, last_rows(units) if rows == "last" else np.arange(units.num_rows), names

    def _options(self, **given: object) -> PredictOptions:
        options = PredictOptions(checkpoint=str(self.run.checkpoint), **given)  # type: ignore[arg-type]
        options.check()
        return options


def load(path: Path | str, *, device: str = "cpu") -> Forecaster:
    """The forecaster of a run directory (its checkpoint_best.pt), or of a checkpoint.

    device: cpu or cuda. Raises DataError where there is no such checkpoint, or it cannot be read; no code in it is ever
    executed. Raises ConfigError where the device cannot be used.
    """
    PredictOptions(checkpoint=str(path), device=device).check()
    return Forecaster(load_trained(path, device=device))

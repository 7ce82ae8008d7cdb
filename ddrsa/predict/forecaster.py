"""A trained run that forecasts for DataFrames: what `ddrsa.load` returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.predict.decision import Decision, find_decision
from ddrsa.predict.forecasts import Forecasts, forecast_units
from ddrsa.predict.options import ROWS, PredictOptions
from ddrsa.predict.units import frame_units
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

    def predict(self, data: pd.DataFrame, *, rows: str = "last", level: float = 0.8) -> pd.DataFrame:
        """`rul`, `rul_median`, `rul_lower`, `rul_upper`, `failure_probability`, `time_to_event` where it is known,
        and `warnings` where inputs are far outside of the training or a forecast is no number, else empty.

        Times are in cycles; median and bounds are NaN at the horizon or beyond. level: of the interval of the RUL.
        """
        self._options(level=level)
        forecasts = self.forecast(data, rows=rows)
        return forecasts.predictions(level).join(forecasts.warnings())

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
        cost: float | None = None,
        threshold: float | None = None,
        window: int | None = None,
        miss_rate: str = "5%",
    ) -> pd.DataFrame:
        """`intervene`, and the `score` of the forecast that the policy compares with its `threshold`.

        `intervene` is missing where the forecast is no number, or the policy would go on by inputs that are far outside
        of what training saw.

        The options are those of `decision`.
        """
        decision = self.decision(policy=policy, cost=cost, threshold=threshold, window=window, miss_rate=miss_rate)
        return self.forecast(data, rows=rows).decisions(decision)

    def decision(
        self,
        *,
        policy: str = "oti",
        cost: float | None = None,
        threshold: float | None = None,
        window: int | None = None,
        miss_rate: str = "5%",
    ) -> Decision:
        """The policy with its threshold: the one that is given, or the one tuned on the run's validation units.

        policy: oti, time_to_event_threshold or failure_probability. cost: of oti, that of a missed failure in cycles.
        threshold: of the other two, in cycles or a probability. window: of failure_probability, in cycles.
        miss_rate: "5%" or "10%" of the validation units that the tuned threshold misses at most.
        """
        given = {"policy": policy, "cost": cost, "threshold": threshold, "window": window, "miss_rate": miss_rate}
        return find_decision(self.run, self._options(**given))

    def forecast(self, data: pd.DataFrame, *, rows: str = "last") -> Forecasts:
        """The forecasts from which the other methods read their tables: for several tables of the same data."""
        if rows not in ROWS:
            raise ConfigError(f"rows={rows}: allowed is {', '.join(ROWS)}")
        units, names = frame_units(self.run, data)
        return forecast_units(self.run, units, last_rows_only=rows == "last", names=names)

    def forecast_sequences(self, sequences: Sequences, *, rows: str = "last") -> Forecasts:
        """As `forecast`, for units that were read already; their features are not scaled yet."""
        return forecast_units(self.run, sequences, last_rows_only=rows == "last")

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

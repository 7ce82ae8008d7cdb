"""The decision for each unit as a sentence: what to do, by when, how likely the failure is, and since when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.options import TableOptions
from ddrsa.data.sequences import Sequences
from ddrsa.predict.decision import Decision
from ddrsa.predict.drivers import attributions, drivers_in_words
from ddrsa.predict.forecasts import Forecasts, forecast_rows
from ddrsa.survival.intervals import central_interval
from ddrsa.survival.policy import stopping_costs
from ddrsa.survival.rivals import intervenes, policy_score
from ddrsa.time_scale import TimeScale, Window
from ddrsa.trained import TrainedRun

# How many rows before the present are looked at for the first one that called for the intervention.
_ROWS_BACK = 512


@dataclass(frozen=True, eq=False)
class Reasoner:
    """Sentences for forecasts of the units of `run`.

    level: of the interval whose lower end is the deadline. explain: of which forecasts the sensors that drive them are
    named: due, those that call for an intervention; all; none.
    """

    run: TrainedRun
    decision: Decision
    windows: list[Window]
    level: float
    explain: str = "due"

    def sentences(self, units: Sequences, rows: NDArray[np.int64], forecasts: Forecasts) -> pd.DataFrame:
        """`act_within`, the time by which an intervention has to be done, where one is due; `reason`, the sentence;
        `drivers`, the sensors that move the predicted RUL most, and by how much, where they are named.

        Until then the unit fails with a probability of (1 - level) / 2, and the lead time of the policy is still left.
        """
        table = forecasts.predictions(self.level, self.windows)
        decided = forecasts.decisions(self.decision)
        lower = central_interval(forecasts.logits, self.level)[0].double().cpu().numpy()
        left = np.maximum(lower - self.decision.lead_time, 0.0)
        due = decided["intervene"].fillna(False).to_numpy(dtype=np.bool_)
        since = self._since(units, rows, due)
        costs = self._expected_costs(forecasts)
        drivers = self._drivers(units, rows, forecasts, due)
        texts = []
        for number, (unit, _) in enumerate(forecasts.index):
            row = table.iloc[number]
            chosen = decided["intervene"].iloc[number]
            if pd.isna(chosen):
                texts.append(f"no decision for {unit}: {row.get('warnings') or forecasts.warnings().iloc[number]}")
                continue
            risk = self._risk(row)
            score = float(decided["score"].iloc[number])
            if chosen:
                within = "now" if left[number] < 1 else f"within {forecasts.scale.text(left[number])}"
                why = self._why(score, costs, number, forecasts.scale, True)
                texts.append(f"stop {unit} {within}: {risk}; {why}{since.get(number, '')}")
            else:
                texts.append(f"{unit} runs on: {risk}; {self._why(score, costs, number, forecasts.scale, False)}")
        act = np.where(due, forecasts.scale.told(left), np.nan)
        return pd.DataFrame({"act_within": act, "reason": texts, "drivers": drivers}, index=forecasts.index)

    def _drivers(
        self, units: Sequences, rows: NDArray[np.int64], forecasts: Forecasts, due: NDArray[np.bool_]
    ) -> pd.Series:
        named = {"due": due, "all": np.ones_like(due), "none": np.zeros_like(due)}[self.explain] & ~forecasts.no_number
        found = pd.Series(None, index=range(len(rows)), dtype="str")
        if named.any():
            table = attributions(self.run, units, rows[named])
            found[named] = [text or None for text in drivers_in_words(table, forecasts.scale)]
        return found.set_axis(forecasts.index)

    def _risk(self, row: pd.Series) -> str:
        """The probability within the smallest window where it is at least one half, or else within the largest."""
        names = [f"failure_within_{window.label}" for window in self.windows]
        if not names:
            return f"{_percent(row['failure_probability'])} to fail within the horizon"
        likely = [number for number, name in enumerate(names) if row[name] >= 0.5]
        chosen = likely[0] if likely else len(names) - 1
        return f"{_percent(row[names[chosen]])} to fail within {self.windows[chosen].text}"

    def _expected_costs(self, forecasts: Forecasts) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """What going on and stopping are expected to cost, each (R,), in steps; None where the policy is not oti."""
        if self.decision.policy != "oti":
            return None
        stop, go_on = stopping_costs(forecasts.logits, self.decision.threshold)
        return go_on.cpu().numpy(), stop.cpu().numpy()

    def _why(
        self,
        score: float,
        costs: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
        number: int,
        scale: TimeScale,
        stops: bool,
    ) -> str:
        threshold = self.decision.threshold
        if self.decision.policy == "time_to_event_threshold":
            side = "at or below" if stops else "above"
            return f"the expected time to the failure, {scale.text(score)}, is {side} {scale.text(threshold)}"
        if self.decision.policy == "failure_probability":
            assert self.decision.window is not None
            ahead = scale.text(self.decision.window)
            side = "at or above" if stops else "below"
            return f"{_percent(score)} to fail within {ahead} is {side} the threshold of {_percent(threshold)}"
        assert costs is not None
        waiting, stopping = (self._cost(float(values[number]), scale) for values in costs)
        verb = "exceeds" if stops else "is below"
        return f"the expected cost of waiting ({waiting}) {verb} that of stopping ({stopping})"

    def _cost(self, steps: float, scale: TimeScale) -> str:
        money = self.run.config.policy.costs
        if money is None:
            return f"{scale.text(steps)} of life"
        return f"{steps * money.cycle:.4g} {money.currency}".strip()

    def _since(self, units: Sequences, rows: NDArray[np.int64], due: NDArray[np.bool_]) -> dict[int, str]:
        """Of each forecast that calls for an intervention, since when those of the unit's rows before do, in words."""
        numbers = np.flatnonzero(due)
        if not len(numbers):
            return {}
        first = np.maximum(units.unit_start_of_row[rows], rows - _ROWS_BACK + 1)
        before = np.concatenate([np.arange(first[number], rows[number] + 1) for number in numbers])
        logits = forecast_rows(self.run, self.run.scaled(units), before)
        score = policy_score(self.decision.policy, logits, self.decision.window)
        calls = intervenes(self.decision.policy, score, self.decision.threshold).cpu().numpy()
        ends = np.cumsum(rows[numbers] - first[numbers] + 1)
        found = {}
        for number, chosen in zip(numbers, np.split(calls, ends[:-1]), strict=True):
            silent = np.flatnonzero(~chosen)
            start = first[number] + (silent[-1] + 1 if len(silent) else 0)
            if start < rows[number]:
                further_back = not len(silent) and first[number] > units.unit_start_of_row[rows[number]]
                found[int(number)] = f" since {self._when(units, int(start))}{' or earlier' if further_back else ''}"
        return found

    def _when(self, units: Sequences, row: int) -> str:
        times = None if units.labels is None else units.labels.row_times(np.array([row]))
        if times is None:
            return f"cycle {row - units.unit_start_of_row[row] + 1}"
        if isinstance(times, pd.DatetimeIndex):
            return times[0].strftime("%a %Y-%m-%d %H:%M")
        options = self.run.config.dataset
        return f"{options.time_column if isinstance(options, TableOptions) else 'cycle'} {times[0]:g}"


def _percent(probability: float) -> str:
    if probability > 0.995:
        return "over 99 %"
    return "under 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"

"""A picture for each unit of a prediction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError
from ddrsa.figures.unit import Sensor, UnitView, unit_figure
from ddrsa.predict.drivers import attributions
from ddrsa.predict.forecasts import Forecasts, forecast_units
from ddrsa.rundir.files import atomic_write
from ddrsa.survival.hazard import log_survival
from ddrsa.time_scale import TimeScale, Window
from ddrsa.time_units import CYCLES
from ddrsa.trained import TrainedRun

_SENSORS = 3
# Of the past as many rows are shown as the model looks ahead, or at least so many lookbacks.
_LOOKBACKS = 3


def draw_units(
    directory: Path,
    run: TrainedRun,
    units: Sequences,
    rows: NDArray[np.int64],
    forecasts: Forecasts,
    reasons: pd.DataFrame,
    windows: list[Window],
    level: float,
) -> list[Path]:
    """`<unit>.png` in `directory` for each forecast. Raises ConfigError where it cannot be written.

    rows: (R,) of `units`, where `forecasts` were made. reasons: of `Reasoner.sentences`.
    """
    attributed = attributions(run, units, rows)
    # Of a column of categories there is no curve.
    attributed = attributed[[name for name in attributed if name in units.feature_names]]
    names = _file_names([str(unit) for unit, _ in forecasts.index])
    paths = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            largest = attributed.iloc[number].abs().sort_values(ascending=False, kind="stable").index[:_SENSORS]
            view = _view(run, units, rows[number], forecasts, number, reasons, windows, level, list(largest))
            path = directory / f"{name}.png"
            with atomic_write(path, "wb") as stream:
                unit_figure(view).savefig(stream, format="png", dpi=130)
            paths.append(path)
    except OSError as error:
        raise ConfigError(f"plots={directory} cannot be written: {error}") from error
    return paths


def _file_names(units: list[str]) -> list[str]:
    """The units' names without what no file system takes; two that become one get a number."""
    seen: dict[str, int] = {}
    found = []
    for unit in units:
        name = re.sub(r"[^\w.-]+", "_", unit).strip("._") or "unit"
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
        found.append(name if seen[name.lower()] == 1 else f"{name}_{seen[name.lower()]}")
    return found


def _view(
    run: TrainedRun,
    units: Sequences,
    row: int,
    forecasts: Forecasts,
    number: int,
    reasons: pd.DataFrame,
    windows: list[Window],
    level: float,
    sensors: list[str],
) -> UnitView:
    scale, horizon = forecasts.scale, run.config.horizon
    shown = max(horizon, _LOOKBACKS * run.config.lookback)
    past_rows = np.arange(max(units.unit_start_of_row[row], row - shown + 1), row + 1)
    past = forecast_units(run, units, past_rows, scale).predictions(level)
    logits = forecasts.logits[number].double().cpu()
    failed = np.append(0.0, -log_survival(logits).expm1().numpy())
    steps = np.arange(horizon + 1, dtype=np.float64)
    times = _plottable(past["time"]) if "time" in past else past.index.get_level_values("cycle").to_numpy()
    chances = [(window.steps, failed[window.steps]) for window in windows]
    return UnitView(
        title=str(reasons["reason"].iloc[number]),
        unit=scale.unit,
        time_label="Time" if scale.has_dates else ("Cycle" if scale.unit == CYCLES else scale.unit),
        past=times,
        rul=past["rul"].to_numpy(),
        lower=past["rul_lower"].to_numpy(),
        upper=past["rul_upper"].to_numpy(),
        ahead=_ahead(times[-1], steps, scale),
        failed=failed,
        windows=[(_ahead(times[-1], np.array([float(k)]), scale)[0], chance) for k, chance in chances],
        sensors=[_sensor(run, units, past_rows, name) for name in sensors],
        due=bool(reasons["act_within"].notna().iloc[number]),
        horizon=horizon * scale.length,
        level=level,
    )


def _plottable(times: pd.Series) -> NDArray[Any]:
    """Dates as they are on the wall: matplotlib knows no zones."""
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        times = times.dt.tz_localize(None)
    return times.to_numpy()


def _ahead(now: Any, steps: NDArray[np.float64], scale: TimeScale) -> NDArray[Any]:
    if scale.seconds is None or not isinstance(now, np.datetime64):
        return np.asarray(now + steps * scale.length)
    return np.asarray(now + (steps * scale.seconds * 1e9).round().astype("timedelta64[ns]"))


def _sensor(run: TrainedRun, units: Sequences, rows: NDArray[np.int64], name: str) -> Sensor:
    values = np.asarray(units.features[rows, units.feature_names.index(name)], dtype=np.float64)
    if run.inputs is None:
        return Sensor(name, values, None)
    edges = run.inputs.edges[run.inputs.feature_names.index(name)]
    return Sensor(name, values, (float(edges[0]), float(edges[-1])))

"""The table of predictions, and the file that it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.errors import ConfigError
from ddrsa.models.forecast import forecast, forecast_batch_size
from ddrsa.predict.decision import Decision
from ddrsa.rundir.files import atomic_write
from ddrsa.survival.hazard import restricted_mean, survival
from ddrsa.survival.intervals import central_interval, quantile
from ddrsa.survival.rivals import intervenes, policy_score
from ddrsa.trained import TrainedRun


def predict(
    run: TrainedRun, sequences: Sequences, decision: Decision, *, level: float = 0.8, last_rows_only: bool = True
) -> pd.DataFrame:
    """A row for each unit, or for each of its rows.

    Columns: `unit`; `cycle`, the number of the row within the unit, from 1; `rul`, the restricted mean E[min(tau, L)];
    `rul_median`, `rul_lower`, `rul_upper`, in cycles, NaN where they are at the horizon or beyond it;
    `failure_probability` within the horizon; `intervene`; `time_to_event` where the failure was observed, if any was;
    `hazard_0` ... `hazard_<L-1>`.

    sequences: with scaled features (`TrainedRun.scaled`). level: of the central interval of the RUL.
    """
    last = np.append(sequences.starts[1:], sequences.num_rows) - 1
    rows = last if last_rows_only else np.arange(sequences.num_rows)
    logits = _forecast_rows(run, sequences, rows)
    lower, upper = central_interval(logits, level)
    columns: dict[str, Any] = {
        "unit": sequences.unit[rows],
        "cycle": rows - sequences.unit_start_of_row[rows] + 1,
        "rul": _numbers(restricted_mean(logits)),
        "rul_median": _inside_horizon(quantile(logits, 0.5), run),
        "rul_lower": _inside_horizon(lower, run),
        "rul_upper": _inside_horizon(upper, run),
        "failure_probability": _numbers(1 - survival(logits)[:, -1]),
        "intervene": intervenes(
            decision.policy, policy_score(decision.policy, logits, decision.window), decision.threshold
        )
        .cpu()
        .numpy(),
    }
    if sequences.event_observed[rows].any():
        columns["time_to_event"] = np.where(sequences.event_observed[rows], sequences.time_to_event[rows], np.nan)
    hazards = pd.DataFrame(logits.sigmoid().cpu().numpy()).add_prefix("hazard_")
    return pd.concat([pd.DataFrame(columns), hazards], axis=1)


def _forecast_rows(run: TrainedRun, sequences: Sequences, rows: NDArray[Any]) -> Tensor:
    windows = Windows(sequences, run.config.lookback, run.device)
    size = forecast_batch_size(run.model, run.config.lookback, run.device)
    index = torch.from_numpy(rows).to(run.device)
    return forecast(run.model, (windows.gather(part).windows for part in index.split(size)))


def _numbers(values: Tensor) -> NDArray[Any]:
    return np.asarray(values.double().cpu().numpy())


def _inside_horizon(cycles: Tensor, run: TrainedRun) -> NDArray[Any]:
    values = _numbers(cycles)
    return np.where(values < run.config.horizon, values, np.nan)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Replace `path` by the table, as CSV (gzipped where it ends in .gz) or Parquet.

    Raises ConfigError where Parquet needs a package that is not there, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "wb") as stream:
            if path.suffix == ".parquet":
                table.to_parquet(stream, engine="pyarrow", index=False)
            else:
                table.to_csv(stream, index=False, compression="gzip" if path.suffix == ".gz" else None)
    except ImportError as error:
        raise ConfigError(
            f"output={path}: Parquet needs the package pyarrow, which is not installed (pip install 'ddrsa[parquet]')"
        ) from error
    except OSError as error:
        raise ConfigError(f"output={path} cannot be written: {error}") from error

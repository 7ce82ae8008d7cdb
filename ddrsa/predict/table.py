"""Table of the predict command, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ddrsa.analysis.tables import as_cells
from ddrsa.errors import ConfigError
from ddrsa.extras import needed
from ddrsa.predict.decision import Decision
from ddrsa.predict.forecasts import Forecasts
from ddrsa.rundir.files import atomic_write
from ddrsa.time_scale import Window


def prediction_table(
    forecasts: Forecasts,
    decision: Decision,
    level: float = 0.8,
    windows: Sequence[Window] = (),
    reasons: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """A row for each forecast.

    Columns: `unit`; `cycle`; those of `Forecasts.predictions`; before `time_to_event` the decision, `intervene` and the
    columns of `reasons`; `warnings`; `hazard_0` ... `hazard_<L-1>`.
    """
    table = forecasts.predictions(level, windows)
    decided = [forecasts.decisions(decision)["intervene"]] + ([] if reasons is None else [reasons])
    known = [table.pop("time_to_event")] if "time_to_event" in table else []
    parts = [table, *decided, *known, forecasts.warnings(), forecasts.hazards().add_prefix("hazard_")]
    return pd.concat(parts, axis=1).reset_index()


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Replace `path` by the table, as CSV (gzipped where it ends in .gz) or Parquet.

    Raises UsageError where Parquet needs a package that is not there, or the file cannot be written.
    """
    if path.suffix == ".parquet":
        needed("pyarrow", f"output={path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "wb") as stream:
            if path.suffix == ".parquet":
                table.to_parquet(stream, engine="pyarrow", index=False)
            else:
                as_cells(table).to_csv(stream, index=False, compression="gzip" if path.suffix == ".gz" else None)
    except OSError as error:
        raise ConfigError(f"output={path} cannot be written: {error}") from error

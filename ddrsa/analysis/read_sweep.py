"""The runs of a sweep as a DataFrame, for a Python session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ddrsa.analysis.collect import collect
from ddrsa.analysis.tables import run_columns


def read_sweep(path: Path | str) -> pd.DataFrame:
    """A row for each run beneath `path`, with the columns of runs.csv.

    `directory` is relative to where `path` is relative to, so that `ddrsa.load` takes it. null is None, true and false
    are bools, and a value that a run does not have is NaN. Raises ConfigError where there is no run.
    """
    sweep = collect(path)
    runs = sweep.runs[run_columns(sweep)].infer_objects()
    return runs.assign(directory=[str(Path(path) / name) for name in runs["directory"]])

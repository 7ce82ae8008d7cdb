"""What the tests of tables share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ddrsa.data.options import TableOptions
from ddrsa.data.sequences import Sequences
from ddrsa.data.table.read import read_table_sequences, running_units

Read = Callable[..., Sequences]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a table from its text (or bytes, or a DataFrame) as a file; every unit fails unless told otherwise.

    pattern: of the files that are read; None: the one.
    """

    def read(
        content: str | bytes | pd.DataFrame,
        *,
        name: str = "units.csv",
        pattern: str | None = None,
        running: bool = False,
        **options: Any,
    ) -> Sequences:
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            if path.suffix == ".parquet":
                content.to_parquet(path)
            else:
                content.to_excel(path, index=False)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if not {"event_column", "time_to_event_column", "events_path"} & set(options):
            options["all_units_fail"] = True
        checked = TableOptions(path=str(tmp_path / (pattern or name)), **options)
        return running_units(checked) if running else read_table_sequences(checked)

    return read

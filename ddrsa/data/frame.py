"""A DataFrame in the place of a data set's files, through the same reader and the same checks."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from ddrsa.data.cmapss.text_format import check_table, sequences_from_table
from ddrsa.data.options import DatasetOptions, SimulatedOptions, TableOptions, TurbofanOptions
from ddrsa.data.sequences import Sequences
from ddrsa.data.table.files import FILE_UNIT
from ddrsa.data.table.read import running_units, table_units
from ddrsa.data.table.source import Table, frame_table
from ddrsa.errors import ConfigError, DataError

_FRAME = "the DataFrame"


class NamedUnits(NamedTuple):
    """sequences: of U units. names: (U,), as the DataFrame calls them."""

    sequences: Sequences
    names: pd.Index


def read_frame(frame: pd.DataFrame, options: DatasetOptions, *, running: bool = False) -> NamedUnits:
    """The units of a DataFrame with the columns that the files of the data set have.

    Where the files of a table are one unit each, the DataFrame is one unit. running: as in `table_units`.

    Raises DataError where it cannot be used,
    ConfigError where no DataFrame can hold what the files of the data set hold.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"the data are a {type(frame).__name__}, a pandas DataFrame is expected")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"{_FRAME} has the column {twice[0]} twice")
    if frame.empty:
        raise DataError(f"{_FRAME} has no rows")
    if isinstance(options, TableOptions):
        return _table(frame_table(frame), options, running)
    table = frame.rename(columns=str).reset_index(drop=True)  # messages name a row by its number
    if isinstance(options, TurbofanOptions | SimulatedOptions):
        sequences = sequences_from_table(check_table(table, _FRAME))
        return NamedUnits(sequences, pd.Index(sequences.unit_ids))
    raise ConfigError(f"a DataFrame cannot hold {options.name}, which is read from several files: predict from these")


def _table(table: Table, options: TableOptions, running: bool) -> NamedUnits:
    if options.unit_column is None:
        table = replace(table, frame=table.frame.assign(**{FILE_UNIT: "1"}))
    sequences = running_units(options, table) if running else table_units(table, options)
    # Whole numbers are the units' ids, unless a unit has several lives.
    column = options.unit_column or FILE_UNIT
    numbers = pd.api.types.is_integer_dtype(table.frame[column].dtype)
    same = numbers and sequences.unit_titles == tuple(map(str, sequences.unit_ids))
    return NamedUnits(sequences, pd.Index(sequences.unit_ids if same else sequences.unit_titles))

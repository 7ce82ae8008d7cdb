"""Attributes of units in a file of their own, such as model, age and site."""

from __future__ import annotations

import pandas as pd

from ddrsa.data.table.columns import text_columns
from ddrsa.data.table.events import listed
from ddrsa.data.table.files import find_table_files, read_files
from ddrsa.data.table.source import Table
from ddrsa.data.table.values import texts
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError


def with_attributes(table: Table, unit: pd.Series, options: TableOptions) -> Table:
    """The table with the columns of `dataset.attributes_path`, in each row of the unit.

    unit: (N,) the name of each row's unit. Raises DataError where a unit is not in that file, or stands there twice.
    """
    column = options.attributes_unit_column or str(options.unit_column)
    files = find_table_files(str(options.attributes_path), "attributes_path")
    second = options.of_second_file(column)
    found = read_files(files, second, {column, *text_columns(options)})
    if column not in found.columns:
        raise DataError(f"dataset.attributes_unit_column is {column!r}, but {files[0]} has {', '.join(found.columns)}")
    names = texts(found.frame[column])
    found.require(column, names.notna(), ", the name of a unit is expected")
    attributes = found.frame.drop(columns=column).assign(**{column: names}).drop_duplicates()
    twice = attributes[column].duplicated()
    if twice.any():
        raise found.error(column, int(attributes.index[twice][0]), ", and another row of it is not the same")
    both = [name for name in attributes.columns if name in table.columns and name != column]
    if both:
        raise DataError(f"{files[0]} and the file of the rows both have a column {both[0]}")
    missing = list(dict.fromkeys(unit[~unit.isin(names)]))
    if missing:
        raise DataError(f"{files[0]} has no row of the units {listed(missing)}")
    values = attributes.set_index(column).loc[unit].set_axis(table.frame.index)
    return Table(pd.concat([table.frame, values], axis=1), table.parts)

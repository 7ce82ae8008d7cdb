"""Microsoft's predictive maintenance data: five raw files of 100 simulated machines over the year 2015.

Telemetry every hour, errors that did not stop the machine, replacements of components, failures, and the machines'
model and age. Published with the notebooks "Predictive Maintenance Modelling Guide" of the Azure AI gallery, 2016.
`azure_rows.py` makes the rows of the models from them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.data.azure.hours import Records
from ddrsa.data.azure.rows import make_sequences
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError
from ddrsa.started import subcommand
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

SIGNALS = ("volt", "rotate", "pressure", "vibration")
# What may stand in the third column of each event file; fixed, so that any slice of the data has the same features.
ERRORS = tuple(f"error{number}" for number in range(1, 6))
COMPONENTS = tuple(f"comp{number}" for number in range(1, 5))
MODELS = tuple(f"model{number}" for number in range(1, 5))


@dataclass(frozen=True)
class _Kind:
    """A file's columns behind `machineID`, whether it has `datetime`, and the values that its last column may have."""

    columns: tuple[str, ...]
    has_time: bool = True
    values: tuple[str, ...] | None = None


FILES = {
    "PdM_telemetry": _Kind(SIGNALS),
    "PdM_errors": _Kind(("errorID",), values=ERRORS),
    "PdM_maint": _Kind(("comp",), values=COMPONENTS),
    "PdM_failures": _Kind(("failure",), values=COMPONENTS),
    "PdM_machines": _Kind(("age", "model"), has_time=False, values=MODELS),
}


def find_files(data_dir: Path) -> dict[str, Path]:
    """The path of each of the five files in `<data_dir>/azure_pm/`. Raises DataError naming those that are missing."""
    folder = data_dir / "azure_pm"
    found = {}
    for name in FILES:
        candidates = (folder / f"{name}.csv", folder / f"{name}.csv.gz")
        path = next((path for path in candidates if path.is_file()), None)
        if path is not None:
            found[name] = path
    missing = [f"{name}.csv" for name in FILES if name not in found]
    if missing:
        raise DataError(
            f"{folder} has no {', '.join(missing)} (nor .csv.gz); {subcommand('download')} azure_pm fetches the "
            "files, or set data_dir or DDRSA_DATA_DIR to the folder that holds azure_pm/"
        )
    return found


def read_azure_pm(files: Mapping[str, Path], step_hours: int) -> Sequences:
    """The rows of all machines, one every `step_hours` (`azure_rows.make_sequences`).

    files: as `find_files` returns them.
    Raises DataError where a file cannot be used; the message names it, what was found and what is expected.
    """
    tables = {name: _read(path, FILES[name]) for name, path in files.items()}
    machines = tables["PdM_machines"]
    twice = machines.loc[machines["machineID"].duplicated(), "machineID"]
    if len(twice):
        raise DataError(f"{files['PdM_machines']}: machine {twice.iloc[0]} has two different rows")
    for name, table in tables.items():
        unknown = np.setdiff1d(table["machineID"], machines["machineID"])
        if len(unknown):
            raise DataError(f"{files[name]}: machine {unknown[0]} is not in {files['PdM_machines'].name}")
    telemetry = tables["PdM_telemetry"]
    repeated = telemetry[telemetry.duplicated(["machineID", "hour"])]
    if len(repeated):
        when = pd.Timestamp(int(repeated["hour"].iloc[0]) * 3600, unit="s")
        raise DataError(
            f"{files['PdM_telemetry']}: machine {repeated['machineID'].iloc[0]} has two different rows at {when}"
        )
    failures = tables["PdM_failures"].rename(columns={"failure": "comp"})
    # A failed component is replaced too; some of these replacements are missing in the maintenance file.
    replacements = pd.concat([tables["PdM_maint"], failures], ignore_index=True).drop_duplicates()
    records = Records(
        telemetry=telemetry.sort_values(["machineID", "hour"], ignore_index=True),
        errors=tables["PdM_errors"].rename(columns={"errorID": "kind"}),
        replacements=replacements.rename(columns={"comp": "kind"}),
        failures=failures[["machineID", "hour"]].drop_duplicates(),
        machines=machines.set_index("machineID"),
    )
    return make_sequences(records, SIGNALS, ERRORS, COMPONENTS, MODELS, step_hours)


def _read(path: Path, kind: _Kind) -> pd.DataFrame:
    """`machineID`, `hour` (since 1970) where the file has times, and the file's own columns; no row twice."""
    required = ["machineID", *kind.columns] + ["datetime"] * kind.has_time
    try:
        header = pd.read_csv(path, nrows=0).columns
        missing = [column for column in required if column not in header]
        if missing:
            raise DataError(
                f"{path} has no column {missing[0]}, it has {', '.join(map(str, header))}; "
                f"{', '.join(required)} are expected"
            )
        table = pd.read_csv(path, usecols=required)[required]
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty, the columns {', '.join(required)} are expected") from error
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if table.empty and path.name.startswith(("PdM_telemetry", "PdM_machines")):
        raise DataError(f"{path} has no rows")
    table["machineID"] = _whole_numbers(path, table["machineID"])
    if kind.has_time:
        table["hour"] = _hours(path, table.pop("datetime"))
    if kind.values is None:
        for column in kind.columns:
            table[column] = _numbers(path, table[column])
    else:
        wrong = table.loc[~table[kind.columns[-1]].isin(kind.values), kind.columns[-1]]
        if len(wrong):
            raise DataError(f"{path}: {kind.columns[-1]} is {wrong.tolist()[0]!r}: allowed is {', '.join(kind.values)}")
    if "age" in table:
        table["age"] = _numbers(path, table["age"])
        if table["age"].isna().any():
            raise DataError(
                f"{path}: the age of machine {table.loc[table['age'].isna(), 'machineID'].iloc[0]} is missing"
            )
    distinct = table.drop_duplicates(ignore_index=True)
    if len(distinct) < len(table):
        repeated = count_of(len(table) - len(distinct), "row is", "rows are")
        log.warning("%s: %s there twice, and left out", path.name, repeated)
    return distinct


def _numbers(path: Path, column: pd.Series) -> pd.Series:
    """The column as float64, NaN where a cell is empty."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    wrong = column[column.notna() & ~np.isfinite(numbers)]
    if len(wrong):
        raise DataError(f"{path}: {column.name} is {wrong.tolist()[0]!r}, a finite number is expected")
    return numbers


def _whole_numbers(path: Path, column: pd.Series) -> pd.Series:
    numbers = _numbers(path, column)
    wrong = column[numbers.isna() | (numbers % 1 != 0) | (numbers < 0)]
    if len(wrong):
        raise DataError(f"{path}: {column.name} is {wrong.tolist()[0]!r}, a whole number is expected")
    return numbers.astype(np.int64)


# Of the first release, and of copies that went through a spreadsheet.
_AMERICAN = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M")


def _hours(path: Path, column: pd.Series) -> pd.Series:
    """Hours since 1970."""
    times = pd.to_datetime(column, errors="coerce", format="ISO8601")
    for form in _AMERICAN if times.isna().any() else ():
        times = times.fillna(pd.to_datetime(column, errors="coerce", format=form).astype(times.dtype))
    wrong = column[times.isna()]
    if len(wrong):
        raise DataError(f"{path}: datetime is {wrong.tolist()[0]!r}, a time such as 2015-01-01 06:00:00 is expected")
    seconds = (times - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    wrong = column[(times != times.dt.floor("h"))]
    if len(wrong):
        raise DataError(f"{path}: datetime is {wrong.tolist()[0]!r}, only full hours are expected")
    return (seconds // 3600).astype(np.int64)

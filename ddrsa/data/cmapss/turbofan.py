"""NASA's turbofan engines: C-MAPSS FD001 to FD004 and the PHM 2008 challenge.

Saxena and Goebel, "Turbofan Engine Degradation Simulation Data Set", NASA Prognostics Center of Excellence, 2008.
The training file holds engines that run to failure. In the official test files the engines stop some time before it,
and the RUL file gives the cycles from there to the failure.
"""

from __future__ import annotations

import logging
from pathlib import Path

from ddrsa.data.cmapss.text_format import read_rul, read_table, sequences_from_table
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError
from ddrsa.started import subcommand

log = logging.getLogger(__name__)


def source_files(data_dir: Path, subset: str) -> tuple[Path, Path | None, Path | None]:
    """The paths of the training file, and of the official test and RUL files or None, None where there are none.

    They lie in `<data_dir>/turbofan/`, plain or .gz. PHM08 has no published RUL, hence no official test set.
    Raises DataError where the training file is missing, or one of the two others.
    """
    folder = data_dir / "turbofan"
    if subset == "PHM08":
        return _required(folder, "train.txt", subset), None, None
    train = _required(folder, f"train_{subset}.txt", subset)
    test, rul = _find(folder, f"test_{subset}.txt"), _find(folder, f"RUL_{subset}.txt")
    if test is None and rul is None:
        log.warning("%s has no test_%s.txt and RUL_%s.txt: no official test set", folder, subset, subset)
        return train, None, None
    return train, _required(folder, f"test_{subset}.txt", subset), _required(folder, f"RUL_{subset}.txt", subset)


def read_turbofan(train: Path, test: Path | None, rul: Path | None) -> dict[str, Sequences]:
    """ "run_to_failure", and "official" where there is a test file. Raises DataError as `read_table`, `read_rul`."""
    parts = {"run_to_failure": sequences_from_table(read_table(train))}
    if test is not None and rul is not None:
        table = read_table(test)
        parts["official"] = sequences_from_table(table, rul=read_rul(rul, table["unit"].nunique()))
    return parts


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _required(folder: Path, name: str, subset: str) -> Path:
    path = _find(folder, name)
    if path is None:
        fetched = "" if subset == "PHM08" else f"; {subcommand('download')} turbofan fetches the files"
        names = ["train.txt"] if subset == "PHM08" else [f"{part}_{subset}.txt" for part in ("train", "test", "RUL")]
        raise DataError(
            f"{folder} has no {name} or {name}.gz{fetched}; put {', '.join(names)} there (from the NASA Prognostics "
            'Center of Excellence data repository, "Turbofan Engine Degradation Simulation Data Set"), or set data_dir '
            "or DDRSA_DATA_DIR to the folder that holds turbofan/, or use dataset=simulated, which needs no files"
        )
    return path

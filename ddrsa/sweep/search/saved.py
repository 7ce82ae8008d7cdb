"""Searches read back from their directory: what multirun.yaml says of the study, as plain values.

The directory may be anybody's. Nothing of it is imported or made: a storage is a URL or a path, and what calls a
resolver (`${oc.env:...}`) is not resolved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.errors import UsageError
from ddrsa.rundir.structure import Fields, check_structure
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.sweep.search.study import StudyAddress, as_url

_HYDRA = Fields(
    {
        "hydra!": Fields(
            {
                "runtime!": Fields({"cwd!": str}),
                "sweeper!": Fields({"study_name": (str, int, None), "storage": object, "objective": (str, list, None)}),
            }
        )
    }
)
# Databases that Optuna is documented to work with; not Redis, of which Optuna unpickles what it gets. Options behind
# the `?` of a URL go to the driver, which may, say, send files of this machine to whatever server the URL names.
_DATABASES = ("sqlite", "mysql", "postgresql")


@dataclass(frozen=True)
class SavedSearch:
    """address: of the study. objective: what the search optimises, None for what the task returns."""

    address: StudyAddress
    objective: str | list[str] | None


def read_search(sweep_dir: Path, storage: str | None = None) -> SavedSearch:
    """The search that was started in `sweep_dir`. storage: of the study, in the place of what the directory says.

    Raises UsageError where there is no search, and where its storage is not a URL or a path.
    """
    file = sweep_dir / CONFIG
    try:
        content = read_yaml(file)
        check_structure(content, _HYDRA, file)
    except (OSError, ValueError) as error:
        raise UsageError(f"{sweep_dir} is no sweep: its multirun.yaml cannot be read: {error}") from error
    hydra: dict[str, Any] = content["hydra"]
    sweeper = hydra["sweeper"]
    if sweeper.get("n_trials") is None:
        raise UsageError(f"{sweep_dir} is no search: its sweeper is not hydra/sweeper=optuna")
    objective = sweeper.get("objective")
    if isinstance(objective, Sequence) and not all(isinstance(each, str) for each in objective):
        raise UsageError(f"{file}: hydra.sweeper.objective is {objective}, a name or a list of names is expected")
    found = sweeper.get("storage") if storage is None else storage
    try:
        found = _plain_storage(found, given=storage is not None)
    except ValueError as error:
        raise UsageError(
            f"{file}: hydra.sweeper.storage {error}, which is not taken from a directory that others may have written; "
            "if you know where the study is, give it: best DIR --storage URL, with the URL of a database, redis://... "
            "or grpc://..., or the path of a journal"
        ) from error
    name = sweeper.get("study_name")
    if name is None:
        name = "study" if sweeper.get("storage") is None else str(sweep_dir)
    return SavedSearch(StudyAddress(found, str(name), sweep_dir, Path(hydra["runtime"]["cwd"])), objective)


def _plain_storage(storage: Any, *, given: bool) -> str | None:
    """Raises ValueError where it is not one that may be opened."""
    if storage is None:
        return None
    if not isinstance(storage, str):
        raise ValueError("describes an object")
    if given:
        return storage
    if "${" in storage:
        raise ValueError(f"is {storage}")
    if "://" in storage:
        url = as_url(storage)
        if url.get_backend_name() not in _DATABASES or url.query:
            raise ValueError(f"is {url}")
    return storage

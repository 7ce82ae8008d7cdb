"""Study of a search: its storage, sampler and pruner, as `hydra.sweeper` describes them.

Opened by the sweeper, by each run to report its epochs, and by the commands that show a search.
"""

from __future__ import annotations

import errno
import inspect
import logging
import random
import re
import stat
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalRedisBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ddrsa.errors import ConfigError
from ddrsa.started import subcommand
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.search.journal_lock import PatientJournal

log = logging.getLogger(__name__)

JOURNAL = "study.journal"
# Seconds that a process waits for a SQLite database which another one writes.
SQLITE_TIMEOUT = 60

# A database that two processes find empty is made by both: one of them fails, and finds it made a moment later.
ATTEMPTS_TO_OPEN = 20
_BEING_MADE = re.compile(
    r"already exists|no such table|relation .* does not exist|Table .* doesn't exist|database is locked"
    r"|UNIQUE constraint failed|UniqueViolation|duplicate key|Duplicate entry"
)

# Options that are functions: Hydra's configs have their dotted paths.
_FUNCTIONS = frozenset({"constraints_func", "gamma", "weights"})

# Packages that Optuna imports only when it draws with a sampler or asks a pruner: in the midst of the search.
_NEEDED = {
    "CmaEsSampler": ("cmaes",),
    "GPSampler": ("scipy", "torch"),
    "QMCSampler": ("scipy",),
    "WilcoxonPruner": ("scipy",),
}

# Keys of hydra-optuna-sweeper's configs that a later Optuna may no longer know.
_OLD_KEYS = frozenset(
    {"consider_prior", "prior_weight", "consider_magic_clip", "consider_endpoints", "warn_independent_sampling"}
    | {"n_ehvi_candidates", "inc_popsize", "restart_strategy", "use_separable_cma", "constraints_func"}
)


@dataclass(frozen=True)
class StudyAddress:
    """Place of a study.

    storage: URL of a database, path of a journal file, config of an `optuna.storages` class; None is the journal in
        `sweep_dir`. name: of the study. sweep_dir, working_dir: absolute; relative paths count from the second.
    """

    storage: Any
    name: str
    sweep_dir: Path
    working_dir: Path

    @classmethod
    def of(cls, hydra: DictConfig, sweep_dir: Path | None = None) -> StudyAddress:
        """From the config of Hydra, of the sweep or of one of its jobs. sweep_dir: where it is now."""
        sweeper = hydra.sweeper
        working_dir = Path(str(hydra.runtime.cwd))
        found = sweep_dir or working_dir / str(hydra.sweep.dir)
        name = sweeper.study_name
        if name is None:
            # In its own journal a study is alone. Elsewhere the directory tells it from those of other sweeps.
            name = "study" if sweeper.storage is None else str(found)
        return cls(sweeper.storage, str(name), found, working_dir)

    @property
    def shown(self) -> str:
        """The storage in words, without a password."""
        if isinstance(self.storage, str) and "://" in self.storage:
            return str(as_url(self.storage))
        described = isinstance(self.storage, DictConfig | Mapping)
        return str(self.storage["_target_"] if described else self.file or self.storage)

    @property
    def file(self) -> Path | None:
        """The file that holds it, where it is in a file."""
        if self.storage is None:
            return self.sweep_dir / JOURNAL
        if not isinstance(self.storage, str):
            return None
        if "://" not in self.storage:
            return self.working_dir / self.storage
        url = as_url(self.storage)
        return self.working_dir / str(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    def open(self) -> BaseStorage:
        """Open the storage, which is made where there is none. Raises ConfigError where it cannot be."""
        return self._opened(self._open_at_last)

    def open_to_read(self) -> BaseStorage:
        """Open the storage to read it: nothing is written. Raises ConfigError where it cannot be."""
        return self._opened(self._open_to_read)

    def _opened(self, opener: Callable[[], BaseStorage]) -> BaseStorage:
        try:
            return opener()
        except ConfigError:
            raise
        except Exception as error:  # what is damaged makes Optuna raise whatever it likes
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            advice = ""
            if isinstance(self.file, Path) and self.file.name.endswith(JOURNAL) and not isinstance(error, OSError):
                advice = f"; {subcommand('sweep')} mend {self.file} leaves out its damaged lines"
            raise ConfigError(f"hydra.sweeper.storage={self.shown} cannot be opened: {reason}{advice}") from error

    def _open_at_last(self) -> BaseStorage:
        """As `_open`; where another process makes the tables of a new database at this moment, wait for it."""
        for _ in range(ATTEMPTS_TO_OPEN):
            try:
                return self._open()
            except SQLAlchemyError as error:
                if not _BEING_MADE.search(str(error)):
                    raise
                log.debug("%s is being made by another process: %s", self.shown, error)
                time.sleep(random.uniform(0.1, 0.5))
        return self._open()

    def _open(self) -> BaseStorage:
        if isinstance(self.storage, BaseStorage):
            return self.storage
        if isinstance(self.storage, DictConfig | Mapping):
            made: BaseStorage = instantiate(self.storage)
            return made
        return self._open_plain(to_read=False)

    def _open_to_read(self) -> BaseStorage:
        # What stands in a directory may be anybody's: no class is made that it names.
        if self.file is not None and not stat.S_ISREG(self.file.stat().st_mode):
            raise ValueError("it is no regular file")
        return self._open_plain(to_read=True)

    def _open_plain(self, *, to_read: bool) -> BaseStorage:
        if self.storage is not None and not isinstance(self.storage, str):
            raise ValueError("allowed are a URL, a path, and the config of a class of optuna.storages")
        file = self.file
        if isinstance(self.storage, str) and "://" in self.storage:
            url = as_url(self.storage)
            if url.get_backend_name() in ("redis", "rediss", "grpc"):
                return _open_server(self.storage, url)
            if url.get_backend_name() != "sqlite":
                return RDBStorage(self.storage, skip_table_creation=to_read)
            if file is None or file.name == ":memory:":
                raise ValueError("a database in memory is not seen by the processes of the runs")
            options = {"connect_args": {"timeout": SQLITE_TIMEOUT}}
            if to_read:
                url = url.set(database=f"file:{quote(str(file))}", query={"mode": "ro", "uri": "true"})
            else:
                url = url.set(database=str(file))
            text = url.render_as_string(hide_password=False)
            return RDBStorage(text, engine_kwargs=options, skip_table_creation=to_read)
        assert file is not None
        return JournalStorage(ReadOnlyJournal(file) if to_read else PatientJournal(file))


def _open_server(text: str, url: Any) -> BaseStorage:
    """A journal in Redis, or Optuna's proxy of a storage; the packages of both are no part of Optuna."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if url.get_backend_name() == "grpc":
            return optuna.storages.GrpcStorageProxy(host=url.host, port=url.port or 13000)
        return JournalStorage(JournalRedisBackend(text))


class ReadOnlyJournal(PatientJournal):
    """A journal that is there already, and is only read."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:  # noqa: ARG002
        """Raises OSError."""
        raise OSError(errno.EROFS, "the study was opened to be read")


def as_url(text: str) -> Any:
    """The URL of a database. Raises ConfigError where it is none."""
    try:
        return make_url(text)
    except SQLAlchemyError as error:
        raise ConfigError(f"hydra.sweeper.storage={text} is no URL of a database") from error


def open_study(
    address: StudyAddress, directions: list[str], sampler: BaseSampler | None, pruner: BasePruner
) -> optuna.Study:
    """The study, which is made where there is none. Raises ConfigError where it has other directions."""
    study = optuna.create_study(
        study_name=address.name,
        storage=address.open(),
        sampler=sampler,
        pruner=pruner,
        directions=[optuna.study.StudyDirection[direction.upper()] for direction in directions],
        load_if_exists=True,
    )
    there = [direction.name.lower() for direction in study.directions]
    if there != directions:
        raise ConfigError(
            f"hydra.sweeper.direction={','.join(directions)}: the study {address.name} in {address.shown} has "
            f"{','.join(there)}"
        )
    return study


def find_study(address: StudyAddress) -> optuna.Study | None:
    """The study, None where there is none; makes and writes nothing.

    Raises ConfigError where it cannot be read: its file is damaged, or no study.
    """
    if address.file is not None and not address.file.exists():
        return None
    storage = address.open_to_read()
    try:
        return optuna.load_study(study_name=address.name, storage=storage)
    except KeyError:
        return None


def make_sampler(config: Any, trials: int, grid: Mapping[str, Any] | None = None) -> BaseSampler:
    """The sampler that `hydra.sweeper.sampler` describes, for the trial after `trials` others.

    A sampler draws from its `seed` on: after a restart it would draw again what it has drawn. So the seed is another
    one for each trial, and a search that was cut off goes on as if it had not been.

    grid: all values of each parameter, for the grid sampler.
    """
    values = dict(config)
    target = _target("sampler", values)
    if target is optuna.samplers.GridSampler and "search_space" not in values:
        values["search_space"] = dict(grid or {})
    seed = values.get("seed")
    # All trials must be of one quasi-random sequence, and of one order of the grid.
    constant = (optuna.samplers.QMCSampler, optuna.samplers.GridSampler)
    if seed is not None and trials > 0 and target not in constant:
        values["seed"] = _derived(int(seed), trials)
    sampler: BaseSampler = _make("sampler", target, values)
    return sampler


def make_pruner(config: Any) -> BasePruner:
    """The pruner that `hydra.sweeper.pruner` describes; null is one that never prunes."""
    if config is None:
        return optuna.pruners.NopPruner()
    values = dict(config)
    pruner: BasePruner = _make("pruner", _target("pruner", values), values)
    return pruner


def is_grid(config: Any) -> bool:
    """Whether `hydra.sweeper.sampler` describes the grid sampler."""
    return _target("sampler", dict(config)) is optuna.samplers.GridSampler


def _target(key: str, values: Mapping[str, Any]) -> Any:
    return find_object(f"hydra.sweeper.{key}._target_", str(values.get("_target_")))


def _make(key: str, target: Any, values: Mapping[str, Any]) -> Any:
    _require_packages(f"hydra.sweeper.{key}", target.__name__)
    parameters = inspect.signature(target).parameters
    # Keys with null are left to Optuna, but for those that it has no default of: wrapped_pruner of the PatientPruner.
    needed = {name for name, each in parameters.items() if each.default is inspect.Parameter.empty}
    wanted = {
        name: value
        for name, value in values.items()
        if not name.startswith("_") and (value is not None or name in needed)
    }
    if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        for name in sorted(wanted.keys() - parameters.keys()):
            if _is_of_the_default(key, target, name, wanted[name]):
                del wanted[name]  # of the config that was chosen, where the command line names another class
                continue
            if name not in _OLD_KEYS:
                allowed = ", ".join(parameters)
                raise ConfigError(f"hydra.sweeper.{key}.{name}: {target.__name__} has no such option, it has {allowed}")
            log.warning("hydra.sweeper.%s.%s: Optuna %s has it no more, it is left out", key, name, optuna.__version__)
            del wanted[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)  # of constraints_func, for each trial
            made = {name: _made(f"hydra.sweeper.{key}.{name}", value) for name, value in wanted.items()}
            return target(**made)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"hydra.sweeper.{key}: {target.__name__} cannot be made: {error}") from error


def _is_of_the_default(key: str, target: Any, name: str, value: Any) -> bool:
    """Whether an option that `target` does not have stands in one of the project's configs of another class."""
    nodes = _configs(key)
    return any(name in node and node[name] == value and find_object(key, node["_target_"]) != target for node in nodes)


@cache
def _configs(key: str) -> list[dict[str, Any]]:
    """The project's configs of the samplers or pruners."""
    package = files("hydra_plugins.ddrsa_sweep")
    folders = [package / root / "hydra" / "sweeper" / key for root in ("conf", "optuna_names")]
    texts = [file.read_text() for folder in folders if folder.is_dir() for file in folder.iterdir()]
    return [yaml.safe_load(text) for text in texts]


def _require_packages(shown: str, name: str) -> None:
    missing = [package for package in _NEEDED.get(name, ()) if find_spec(package) is None]
    if missing:
        raise ConfigError(f"{shown}: {name} needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def _made(shown: str, value: Any) -> Any:
    if _is_described(value):
        _require_packages(shown, str(value["_target_"]).rpartition(".")[2])
        return instantiate(value)
    if isinstance(value, str) and shown.rpartition(".")[2] in _FUNCTIONS:
        return find_object(shown, value)
    return value


def _is_described(value: Any) -> bool:
    return isinstance(value, Mapping | DictConfig) and "_target_" in value


def _derived(seed: int, trials: int) -> int:
    import numpy as np

    return int(np.random.SeedSequence([seed, trials]).generate_state(1)[0])

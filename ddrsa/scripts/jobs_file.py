"""Reader of a YAML file of jobs; docs/scripts.md has its format."""

from __future__ import annotations

import logging
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ddrsa.errors import ConfigError
from ddrsa.scripts.discovery import job_ids, safe_id
from ddrsa.scripts.interface.values import as_text
from ddrsa.scripts.job import Job
from ddrsa.scripts.options import check_python, program_of, read_command

log = logging.getLogger(__name__)

FILE_KEYS = (
    *("id", "script", "args", "optional", "timeout", "python", "command", "working_dir", "output_option", "env"),
)
# Those of AiMedRes' jobs, whose files are understood as they are, and the shared option that each is about.
SUPPORTS = {"supports_epochs": "epochs", "supports_folds": "folds", "supports_batch": "batch_size"}
_ORCHESTRATOR_KEYS = {"name", "output", "use_output_dir", "supports_sample", *SUPPORTS}
_SHARED_THERE = {"epochs": "epochs", "folds": "folds", "batch": "batch_size"}


def read_jobs(file: Path, directory: Path) -> list[Job]:
    """The jobs that a YAML file lists. Raises ConfigError with the place.

    directory: where the scripts work, absolute: modules are looked for there.
    """
    try:
        content = yaml.load(file.read_text(), _OnceEach)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"scripts.jobs={file}: it cannot be read: {' '.join(str(error).split())}") from error
    entries = content.get("jobs") if isinstance(content, dict) and set(content) == {"jobs"} else content
    if not isinstance(entries, list) or not entries:
        other = [str(key) for key in content if key != "jobs"] if isinstance(content, dict) else []
        has = f"; it has {', '.join(other)}" if other else ""
        raise ConfigError(f"{file}: a list of jobs is expected, under the key jobs alone{has}")
    jobs: dict[str, Job] = {}
    for number, entry in enumerate(entries, start=1):
        job = _Entry(file, number, entry).job(directory)
        if job.id in jobs:
            raise ConfigError(f"{file}: two jobs have the id {job.id}; give one of them another")
        jobs[job.id] = job
    return list(jobs.values())


class _OnceEach(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, and not its last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # A mapping that is merged, <<: *base, may have the same keys: those that stand here count.
        written = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in written]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


class _Entry:
    """One entry of the file: its checks, each with the place."""

    def __init__(self, file: Path, number: int, entry: Any) -> None:
        self.file = file
        self.place = f"{file}: job {number}"
        if isinstance(entry, str):
            entry = {"script": entry}
        if not isinstance(entry, dict) or not isinstance(entry.get("script"), str):
            raise ConfigError(f"{self.place}: it has no script; allowed keys are {', '.join(FILE_KEYS)}")
        self.entry: dict[Any, Any] = entry
        self.of_orchestrator = bool(_ORCHESTRATOR_KEYS & set(entry))

    def job(self, directory: Path) -> Job:
        module = _module(self.entry["script"])
        path = self._path(directory) if module is None else _path_of(module, directory)
        name = self._id(path, module)
        self.place = f"{self.place} ({name})"
        allowed = {*FILE_KEYS, *(_ORCHESTRATOR_KEYS if self.of_orchestrator else ())}
        unknown = [str(key) for key in self.entry if key not in allowed]
        if unknown:
            raise ConfigError(f"{self.place}: there is no key {unknown[0]}; allowed are {', '.join(FILE_KEYS)}")
        if module is None and not path.is_file():
            raise ConfigError(f"{self.place}: there is no file {path}")
        timeout = self.entry.get("timeout")
        is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
        if timeout is not None and not (is_number and 0 < timeout < math.inf):
            raise ConfigError(f"{self.place}: timeout is {timeout!r}: allowed are minutes above 0, and null")
        arguments, named = self._arguments()
        if "output" in self.entry:
            log.warning("%s: output is not used: results lie in the run's directory", self.place)
        return Job(
            name,
            path,
            module,
            arguments,
            named,
            self._withheld(),
            self._flag("optional", False),
            timeout,
            self._python(),
            read_command(f"{self.place}: command", self.entry.get("command")),
            self._working_dir(),
            self._text("output_option"),
            self._environment(),
        )

    def _path(self, directory: Path) -> Path:
        given = Path(self.entry["script"]).expanduser()
        path = self.file.parent / given
        # The orchestrator's paths are those of the folder where it is started.
        return directory / given if self.of_orchestrator and not path.is_file() else path

    def _id(self, path: Path, module: str | None) -> str:
        name = self.entry.get("id")
        if name is None and self.of_orchestrator:
            name = self.entry.get("name")
            name = name.lower().replace(" ", "_") if isinstance(name, str) else name
        if name is None:
            name = next(iter(job_ids([path]).values())) if module is None else module
        if not isinstance(name, str) or not safe_id(name):
            raise ConfigError(f"{self.place}: id is {name!r}: allowed is a text of letters, digits and . _ -")
        if safe_id(name) != name:
            log.warning(
                "%s: its id %r is written %s: a job's id has letters, digits and . _ -", self.place, name, safe_id(name)
            )
        return safe_id(name)

    def _flag(self, key: str, default: bool) -> bool:
        value = self.entry.get(key, default)
        if not isinstance(value, bool):
            raise ConfigError(f"{self.place}: {key} is {value!r}: allowed are true and false")
        return value

    def _text(self, key: str) -> str | None:
        value = self.entry.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise ConfigError(f"{self.place}: {key} is {value!r}: allowed is a text")
        return value

    def _python(self) -> str | None:
        given = self._text("python")
        check_python(f"{self.place}: python", given)
        return given if given is None else program_of(given, self.file.parent)

    def _working_dir(self) -> Path | None:
        given = self._text("working_dir")
        if given is None:
            return None
        path = (self.file.parent / Path(given).expanduser()).absolute()
        if not path.is_dir():
            raise ConfigError(f"{self.place}: working_dir is {given!r}: there is no directory {path}")
        return path

    def _environment(self) -> Mapping[str, str]:
        given = {} if self.entry.get("env") is None else self.entry["env"]
        plain = (str, int, float)
        if not isinstance(given, dict) or not all(isinstance(value, plain) for value in given.values()):
            raise ConfigError(f"{self.place}: env is {given!r}: allowed are names with values")
        return {str(key): as_text(value) for key, value in given.items()}

    def _withheld(self) -> frozenset[str]:
        withheld = {option for key, option in SUPPORTS.items() if not self._flag(key, True)}
        return frozenset(withheld if self._flag("use_output_dir", True) else {*withheld, "output_dir"})

    def _arguments(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        given = self.entry.get("args")
        plain = (str, int, float)
        if given is None:
            return (), {}
        if isinstance(given, str):
            try:
                return tuple(shlex.split(given)), {}
            except ValueError as error:
                raise ConfigError(f"{self.place}: args is {given!r}: {error}") from error
        if isinstance(given, list) and all(isinstance(each, plain) for each in given):
            return tuple(map(as_text, given)), {}
        if isinstance(given, dict):
            flat = [item for value in given.values() for item in (value if isinstance(value, list) else [value])]
            if all(item is None or isinstance(item, plain) for item in flat):
                return (), {self._name(str(key)): value for key, value in given.items()}
        raise ConfigError(f"{self.place}: args is {given!r}: allowed are a text, a list, and names with values")

    def _name(self, key: str) -> str:
        return _SHARED_THERE.get(key, key) if self.of_orchestrator else key


def _module(script: str) -> str | None:
    """The module of `-m package.module`."""
    words = script.split()
    return words[1] if len(words) == 2 and words[0] == "-m" else None


def _path_of(module: str, directory: Path) -> Path:
    """Where the source of a module would be, below the directory or its src/."""
    parts = Path(*module.split("."))
    candidates = [
        base / form
        for base in (directory, directory / "src")
        for form in (parts / "__main__.py", parts.with_suffix(".py"))
    ]
    return next((path for path in candidates if path.is_file()), directory / parts.with_suffix(".py"))

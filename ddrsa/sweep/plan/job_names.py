"""Names of jobs, where a key of the config has them, in `only` and `exclude`: `only=als,alzheimers`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.plain_values import PlainValues

_NAME = r"['\"]?[\w.*?-]+['\"]?"
_LIST = re.compile(rf"\[?\s*{_NAME}(\s*,\s*{_NAME})*\s*,?\s*\]?")


def is_list_of_names(text: str) -> bool:
    """Whether a text is a name or a list of names: als,alz* or [als, alzheimers]."""
    return _LIST.fullmatch(text.strip()) is not None


class JobNames:
    """Holds for the jobs whose name is one of a list, or matches one of its shell patterns."""

    def __init__(self, option: str, text: str, key: str) -> None:
        """option: where the text stands, for the errors. key: of the config, dotted, that has a job's name."""
        self.shown = f"{option}={text}"
        self.keys: set[str] = set()
        self._key = key
        self._patterns = [part.strip(" \t'\"") for part in text.strip(" []").split(",") if part.strip()]
        self._seen: set[str] = set()

    def holds(self, config: DictConfig | PlainValues, job: str) -> bool:
        """Whether it is true for `config`. Raises ConfigError where the job, called so in errors, has no name."""
        if isinstance(config, PlainValues):
            name: Any = config
            for part in self._key.split("."):
                name = name[part]
        else:
            name = OmegaConf.select(config, self._key)
        if name is None:
            raise ConfigError(f"{self.shown}: {job} has no name, {self._key} is null")
        self._seen.add(str(name))
        return any(fnmatchcase(str(name), pattern) for pattern in self._patterns)

    def check_names(self) -> None:
        """Raise ConfigError on a name that none of the jobs had."""
        for pattern in self._patterns:
            if not any(fnmatchcase(name, pattern) for name in self._seen):
                known = ", ".join(sorted(self._seen))
                raise ConfigError(f"{self.shown}: there is no job {pattern}, there are {known}")

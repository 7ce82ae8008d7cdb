"""Choices: the overrides of a job without the values that are a number or a text, which many jobs share."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override, QuotedString

from ddrsa.sweep.plan.template import Template

# Before this job of a choice Hydra composes each: a template would cost more than it saves.
FIRST_BY_TEMPLATE = 4
_MOST_TEMPLATES = 64
_MOST_PARSED = 20_000
_KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)

Structure = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """An override, read.

    structure: all that it says besides its value. path: of its key; None where its value is part of the structure.
    chooses: whether it says which files the config is made of.
    """

    override: Override
    structure: object
    path: tuple[str, ...] | None
    chooses: bool = False


@dataclass
class Choice:
    """A choice: how many jobs have had it, and their template, once there is one. refused: there will be none."""

    count: int = 0
    template: Template | None = None
    refused: bool = False

    @property
    def is_sample(self) -> bool:
        """Whether the job that was counted last is compared with Hydra's: the 4th, 16th, 64th and so on."""
        power = self.count.bit_length() - 1
        return self.count.bit_count() == 1 and power % 2 == 0


class Choices:
    """The choices of the jobs of a sweep."""

    def __init__(self, parse: Callable[[str], Override], chooses: Callable[[Override], bool]) -> None:
        """chooses: whether an override says which files a config is made of."""
        self._parse = parse
        self._chooses = chooses
        self._read: dict[str, Read] = {}
        self._choices: OrderedDict[Structure, Choice] = OrderedDict()
        self._refused: set[Structure] = set()

    def read(self, overrides: Sequence[str]) -> list[Read]:
        """The overrides, each read once. Raises Hydra's errors."""
        found = []
        for text in overrides:
            read = self._read.get(text)
            if read is None:
                if len(self._read) >= _MOST_PARSED:
                    self._read.clear()
                read = self._read[text] = self._one(text)
            found.append(read)
        return found

    def choice(self, reads: Sequence[Read]) -> Choice:
        """That of a job, which is counted."""
        structure = tuple([read.structure for read in reads])
        choice = self._choices.get(structure)
        if choice is None:
            choice = self._choices[structure] = Choice(refused=structure in self._refused or _is_tangled(reads))
            if len(self._choices) > _MOST_TEMPLATES:
                self._choices.popitem(last=False)
        self._choices.move_to_end(structure)
        choice.count += 1
        return choice

    def refuse(self, reads: Sequence[Read]) -> None:
        """Leave all jobs of this choice to Hydra; and begin to count anew."""
        self._refused.add(tuple([read.structure for read in reads]))
        self._choices.clear()

    def _one(self, text: str) -> Read:
        override = self._parse(text)
        key, value = override.key_or_group, override.value()
        value = value.text if isinstance(value, QuotedString) else value
        chooses = self._chooses(override)
        structural = (
            chooses
            or override.is_delete()
            or override.package is not None
            or override.is_sweep_override()
            or not _KEY.fullmatch(key)
            or key.partition(".")[0] == "hydra"
            or not isinstance(value, bool | int | float | str | None)
            or (isinstance(value, str) and ("$" in value or "\\" in value))
        )
        if structural:
            return Read(override, text, None, chooses)
        kind = "++" if override.is_force_add() else "+" if override.is_add() else ""
        # The type belongs to it, so that each is compared with what Hydra makes of it.
        return Read(override, (kind, key, type(value)), tuple(key.split(".")))


def _is_tangled(reads: Sequence[Read]) -> bool:
    """Whether an override changes what another may have changed: then their order counts.

    Hydra takes the choices of files before all values, so model=gru and model.hidden_size=8 are not tangled.
    """
    paths = [tuple(read.override.key_or_group.split(".")) for read in reads]
    for index, (read, path) in enumerate(zip(reads, paths, strict=True)):
        for other_read, other in zip(reads[:index], paths[:index], strict=True):
            short = min(len(path), len(other))
            if path[:short] == other[:short] and not (read.chooses or other_read.chooses):
                return True
    return False

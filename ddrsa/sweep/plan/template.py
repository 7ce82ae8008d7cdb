"""Template of the jobs of a sweep that differ by plain values alone: their configs without OmegaConf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, ValueNode
from omegaconf.errors import OmegaConfBaseException

from ddrsa.compat_hydra import apply_overrides, converted, known_resolver, resolver_cache, value_node
from ddrsa.interpolations import Interpolation, interpolation
from ddrsa.plain_values import PlainValues, as_plain

Path = tuple[Any, ...]
_Number = Mapping[Path, Any]  # what Hydra writes into the config of a job by its number

NUMBER: Path = ("hydra", "job", "num")
ID: Path = ("hydra", "job", "id")
# They are another for each job. What depends on the latter two is left to Hydra.
_OF_EACH_JOB: tuple[Path, ...] = (NUMBER, ID, ("hydra", "overrides"), ("hydra", "job", "override_dirname"))
_SUBDIR: Path = ("hydra", "sweep", "subdir")
_TIMEOUT: Path = ("hydra", "launcher", "timeout")
_OPTIONAL: Path = ("hydra", "launcher", "optional")
_THE_SAME: tuple[Path, ...] = (("hydra", "sweep", "dir"), ("hydra", "sweeper", "params"))

# Beside those of `known_resolver`. The results of `now` are kept from the config of the sweep.
_CONSTANT = frozenset({"oc.env", "now"})
_MOST_VALUES = 20_000


class UnsupportedError(Exception):
    """The job cannot be told from the template; Hydra composes it."""


@dataclass(frozen=True)
class Filled:
    """A job by the template.

    values: of its config, for checks. changes: what differs in it from the template, by path, as `plain_config` has it.
    """

    values: PlainValues
    changes: tuple[tuple[Path, Any], ...]
    subdir: str
    timeout: Any
    optional: Any


@dataclass(frozen=True)
class _Text:
    """A text with interpolations that depend on the job. The node is as the config has it, with its type."""

    path: Path
    node: ValueNode
    parts: tuple[tuple[str, str], ...]

    def value(self, look_up: Callable[[Path], Any], call: Callable[[str], Any]) -> Any:
        pieces = [self._piece(kind, text, look_up, call) for kind, text in self.parts]
        return converted(self.node, pieces[0] if len(pieces) == 1 else "".join(map(str, pieces)))

    @staticmethod
    def _piece(kind: str, text: str, look_up: Callable[[Path], Any], call: Callable[[str], Any]) -> Any:
        if kind == "text":
            return text
        found = call(text) if kind == "call" else look_up(tuple(text.split(".")))
        if not isinstance(found, int | float | str | None):
            raise UnsupportedError(text)
        return found


@dataclass
class Template:
    """What jobs with the same overrides, but for the values of some, have in common.

    plain: of the config as `plain_config` gives it, for the first such job.
    """

    plain: dict[str, Any]
    not_identity: frozenset[str]
    _scratch: DictConfig
    _values: dict[str, Any]
    _texts: list[_Text]
    _hydra: dict[Path, Any]
    _known: dict[Any, Any] = field(default_factory=dict)
    _converted: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        whole: DictConfig,
        job: DictConfig,
        plain: dict[str, Any],
        changed: Sequence[tuple[str, ...]],
        not_identity: frozenset[str],
        cache: Mapping[str, Any],
    ) -> Template:
        """From the first job.

        whole, job: its config with and without `hydra`. plain: of it. changed: the keys whose values differ from job to
        job. cache: the resolver cache of the sweep's config.

        Raises UnsupportedError where a value cannot be told without OmegaConf.
        """
        written: Any = OmegaConf.to_container(whole, resolve=False)
        reads = {path: interpolation(text) for path, text in _leaves(written) if isinstance(text, str) and "${" in text}
        if any(text == "???" for path, text in _leaves(written) if path[0] != "hydra"):
            raise UnsupportedError("a value is missing")
        changing = _changing(reads, changed)
        if any(_overlap(path, the_same) for path in changing for the_same in _THE_SAME):
            raise UnsupportedError("where the sweep is, or what it sweeps over, depends on the job")
        texts, unknown = _texts(whole, reads, changing)
        unknown_keys = {path[0] for path in unknown if path[0] != "hydra"}
        if unknown_keys - not_identity:
            raise UnsupportedError(f"{unknown_keys - not_identity} cannot be told")
        values = {}
        for key in map(str, job):
            if key in unknown_keys:
                continue
            try:
                found = job[key]
                values[key] = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
            except OmegaConfBaseException as error:
                if key not in not_identity:
                    raise UnsupportedError(key) from error
        hydra = {}
        for path in (_SUBDIR, _TIMEOUT, _OPTIONAL):
            if any(_overlap(path, other) for other in unknown) or _under(path, changing):
                raise UnsupportedError(f"{path} cannot be told")
            if path not in changing:
                hydra[path] = OmegaConf.select(whole, ".".join(path))
        for text in texts:
            for kind, key in text.parts:
                path = tuple(key.split("."))
                if kind == "key" and path[0] == "hydra" and path not in changing and path not in (NUMBER, ID):
                    hydra[path] = OmegaConf.select(whole, key, throw_on_missing=True)
        if any(resolver_cache(whole).get(name, {}) != cache.get(name, {}) for name in resolver_cache(whole)):
            raise UnsupportedError("a resolver answered what it had not answered to the sweep")
        scratch: DictConfig = cloudpickle.loads(cloudpickle.dumps(whole))
        for path in changed:
            if value_node(scratch, path) is None:
                raise UnsupportedError(f"{path} is no value")
        return cls(plain, not_identity, scratch, values, texts, hydra)

    def fill(self, given: Iterable[tuple[tuple[str, ...], Override]], number: int, job_id: str) -> Filled:
        """The job of these values. Raises whatever says that they are not allowed, and UnsupportedError."""
        changes: list[tuple[Path, Any]] = [(path, self._convert(path, override)) for path, override in given]
        values = self._values
        for path, value in changes:
            if path[0] in values:
                values = _with_value(values, path, value)
        of_job: dict[Path, Any] = {**self._hydra, NUMBER: number, ID: job_id}
        whole: PlainValues | None = None

        def look_up(path: Path) -> Any:
            if path[0] == "hydra":
                return of_job[path]
            found: Any = values
            for key in path:
                found = found[key]
            return found

        def call(name: str) -> Any:
            nonlocal whole
            known = known_resolver(name)
            if known is None:
                raise UnsupportedError(name)
            if whole is None:
                whole = PlainValues(values, self._values, self._known)
            return known.function(_root_=whole)

        for text in self._texts:
            value = text.value(look_up, call)
            if text.path[0] == "hydra":
                of_job[text.path] = value
            else:
                if text.path[0] not in self.not_identity:  # these stand as written
                    changes.append((text.path, value))
                values = _with_value(values, text.path, value)
        if whole is None:
            whole = PlainValues(values, self._values, self._known)
        timeout, optional = of_job[_TIMEOUT], of_job[_OPTIONAL]
        return Filled(whole, tuple(changes), str(of_job[_SUBDIR]), timeout, optional)

    def _convert(self, path: tuple[str, ...], override: Override) -> Any:
        """The value as the config takes it, by its schema."""
        text = str(override.input_line)
        if text not in self._converted:
            apply_overrides([override], self._scratch)
            node = value_node(self._scratch, path)
            value = None if node is None else node._value()
            # `value` is what OmegaConf has made of a plain one; anything else, of a schema of its own, is left to it.
            if node is None or as_plain(value) is not value or (value == "???" or "$" in str(value)):
                raise UnsupportedError(text)
            if len(self._converted) >= _MOST_VALUES:
                self._converted.clear()
            self._converted[text] = value
        return self._converted[text]


def changed_config(plain: dict[str, Any], changes: Iterable[tuple[Path, Any]]) -> dict[str, Any]:
    """A copy of a config with these changes, which shares with it what is the same."""
    for path, value in changes:
        plain = _with_value(plain, path, value)
    return plain


def _leaves(tree: Any, path: Path = ()) -> Iterable[tuple[Path, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _leaves(value, (*path, index))
    else:
        yield path, tree


def _changing(reads: Mapping[Path, Interpolation | None], changed: Sequence[Path]) -> dict[Path, set[Path] | None]:
    """The texts whose value may be another for each job, with what they refer to; None where that is not known."""
    roots = [*changed, *_OF_EACH_JOB]
    changing: dict[Path, set[Path] | None] = {}
    left: dict[Path, set[Path]] = {}
    for path, read in reads.items():
        if read is None:
            changing[path] = None
            continue
        references = {_absolute(path, dots, key) for dots, key in read.references}
        constant = all(
            name in _CONSTANT or ((known := known_resolver(name)) is not None and known.constant)
            for name in read.resolvers
        )
        if constant:
            left[path] = references
        else:
            changing[path] = references
    while True:
        sources = [*roots, *changing]
        more = {path: refs for path, refs in left.items() if any(_overlap(a, b) for a in refs for b in sources)}
        if not more:
            return changing
        changing.update(more)
        for path in more:
            del left[path]


def _texts(
    whole: DictConfig, reads: Mapping[Path, Interpolation | None], changing: Mapping[Path, set[Path] | None]
) -> tuple[list[_Text], set[Path]]:
    """Those that can be told without OmegaConf, each behind those that it refers to; and the others."""
    texts: list[_Text] = []
    told: set[Path] = set()
    left = dict(changing)
    while True:
        for path, references in list(left.items()):
            text = None if references is None else _text(whole, path, reads[path])
            waits_for = [other for other in left if any(_overlap(other, each) for each in references or ())]
            if text is not None and not waits_for:
                texts.append(text)
                told.add(path)
        if not told & set(left):
            return texts, set(left)
        for path in told:
            left.pop(path, None)


def _text(whole: DictConfig, path: Path, read: Interpolation | None) -> _Text | None:
    if read is None or read.parts is None or not all(isinstance(key, str) for key in path):
        return None
    if read.resolvers and path[0] != "hydra":  # they may ask for any value of the config
        return None
    if any((known := known_resolver(name)) is None or known.constant for name in read.resolvers):
        return None
    for kind, key in read.parts:
        parts = tuple(key.split("."))
        if kind == "key" and any(_overlap(parts, each) for each in _OF_EACH_JOB) and parts not in (NUMBER, ID):
            return None
    node = value_node(whole, path)
    return None if node is None else _Text(path, node, read.parts)


def _absolute(path: Path, dots: int, key: str) -> Path:
    above = path[: max(len(path) - dots, 0)] if dots else ()
    return (*above, *key.split("."))


def _overlap(one: Path, other: Path) -> bool:
    """Whether they are one key, or one lies below the other."""
    short = min(len(one), len(other))
    return one[:short] == other[:short]


def _under(path: Path, others: Iterable[Path]) -> bool:
    """Whether `path` lies below one of them, or one of them below it."""
    return any(_overlap(path, other) and path != other for other in others)


def _with_value(tree: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of `tree` that shares with it what is the same."""
    key, *rest = path
    return {**tree, key: _with_value(tree[key], tuple(rest), value) if rest else value}

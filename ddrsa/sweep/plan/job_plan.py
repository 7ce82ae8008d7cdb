"""Plan of a job: by Hydra's composition, or by a template that is compared with it."""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from ddrsa.checks import require
from ddrsa.compat_hydra import clock_by_its_form, resolver_cache, shown_by_hydra_config
from ddrsa.errors import ConfigError
from ddrsa.plain_values import PlainValues, as_plain, does_take_plain_values, holds_object
from ddrsa.rundir.identity import identity_of
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.gpu.lease import without_leases
from ddrsa.sweep.plan.choices import FIRST_BY_TEMPLATE, Choice, Read
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.template import Template, UnsupportedError, changed_config

log = logging.getLogger(__name__)


class DiffersError(Exception):
    """A template gave another run than Hydra's composition; its choice is refused, and the plan is made anew."""


class Wanted(Protocol):
    """Which jobs are wanted. It may be marked by `takes_plain_values`."""

    def __call__(self, config: DictConfig | PlainValues, overrides: Sequence[str], /) -> bool:
        """Whether the job of this config, without `hydra`, is wanted; what it raises ends the planning."""


@dataclass(frozen=True)
class Job:
    """What the plan of a job has of its config: see `PlannedRun`."""

    directory: Path
    identity: str
    timeout: float | None
    optional: bool
    make_config: Callable[[], dict[str, Any]] = field(repr=False, compare=False)
    compose: Callable[[Any], bytes] = field(repr=False, compare=False)


class JobPlan:
    """Plans jobs one by one. Those that differ from others by plain values alone are told from a template."""

    def __init__(self, composer: Composer, wanted: Wanted | None) -> None:
        """See `plan_runs`."""
        self.composer = composer
        self.wanted = wanted
        launcher = composer.config.hydra.launcher
        self.has_identities = "identity" in launcher
        self.not_identity = frozenset(OmegaConf.select(launcher, "not_identity") or ())
        path = OmegaConf.select(launcher, "identity")
        self.identity = find_object("hydra.launcher.identity", path) if path else None
        sweep_dir = str(composer.config.hydra.sweep.dir)
        require("hydra.sweep.dir", sweep_dir, sweep_dir != "", "a directory; . is this one")
        self.sweep_dir = Path(sweep_dir).absolute()
        self._by_template = all(does_take_plain_values(each) for each in (wanted, self.identity) if each is not None)

    def job(self, overrides: Sequence[str], number: int) -> Job | None:
        """The plan of a job, None where it is not wanted. Raises DiffersError, and what `plan_runs` raises."""
        if not self._by_template:
            return self._composed(_whole(self.composer.compose, overrides), overrides, number)
        reads = self.composer.choices.read(overrides)
        choice = self.composer.choices.choice(reads)
        if choice.refused or choice.count < FIRST_BY_TEMPLATE:
            return self._composed(_whole(self.composer.compose, overrides), overrides, number)
        if choice.template is not None and not choice.is_sample:
            try:
                return self._filled(choice.template, reads, overrides, number)
            except Exception:  # whatever is wrong with it, Hydra says so
                return self._composed(_whole(self.composer.compose, overrides), overrides, number)
        whole = _whole(partial(self.composer.loader.load_sweep_config, self.composer.config), list(overrides))
        return self._sample(choice, reads, whole, overrides, number)

    def _sample(
        self, choice: Choice, reads: Sequence[Read], whole: DictConfig, overrides: Sequence[str], number: int
    ) -> Job | None:
        """The job by Hydra, whose template must give the same; or gets its template by it."""
        by_hydra = self._composed(whole, overrides, number)
        try:
            if choice.template is None:
                choice.template = self._template(reads, whole, number)
            found = self._filled(choice.template, reads, overrides, number)
        except UnsupportedError:
            choice.refused = choice.template is None
            return by_hydra
        except Exception:  # whatever is wrong with it, Hydra's own composition stands, slower
            log.debug("no template for the jobs like %s", " ".join(overrides), exc_info=True)
            choice.template, choice.refused = None, True
            return by_hydra
        same = (by_hydra is None) == (found is None)
        if same and by_hydra is not None and found is not None:
            same = by_hydra == found and _same(by_hydra.make_config(), found.make_config())
        if not same:
            self.composer.choices.refuse(reads)
            raise DiffersError(" ".join(overrides))
        return by_hydra

    def _composed(self, whole: DictConfig, overrides: Sequence[str], number: int) -> Job | None:
        with _as_job(whole, number) as job:
            if self.wanted is not None and not self.wanted(job, overrides):
                return None
            plain = plain_config(job, self.not_identity)
            name = self._generic(plain) if self.identity is None else self.identity(job)
            directory = self._root(whole, overrides) / self._beneath(str(whole.hydra.sweep.subdir), overrides)
            timeout = OmegaConf.select(whole, "hydra.launcher.timeout")
            optional = bool(OmegaConf.select(whole, "hydra.launcher.optional"))
        config, composed = _packed(plain), _packed(whole)
        return Job(directory, name, timeout, optional, lambda: _unpacked(config), lambda _: zlib.decompress(composed))

    def _root(self, whole: DictConfig, overrides: Sequence[str]) -> Path:
        root = Path(str(whole.hydra.sweep.dir)).absolute()
        if self.has_identities and root != self.sweep_dir:
            raise ConfigError(
                f"hydra.sweep.dir is {os.path.relpath(root)} for the job {' '.join(overrides)}, and "
                f"{os.path.relpath(self.sweep_dir)} for the sweep: it holds all runs of a sweep, so no swept key can "
                "stand in it; hydra.sweep.subdir may differ from run to run"
            )
        return root

    def _beneath(self, subdir: str, overrides: Sequence[str]) -> str:
        """The directory of a run below that of the sweep: who resumes or reads the sweep looks nowhere else."""
        parts = Path(subdir).parts
        if self.has_identities and (not parts or ".." in parts or Path(subdir).is_absolute()):
            raise ConfigError(
                f"hydra.sweep.subdir is {subdir!r} for the job {' '.join(overrides)}: it must name a folder below "
                "hydra.sweep.dir, which holds all runs of a sweep"
            )
        return subdir

    def _generic(self, plain: dict[str, Any]) -> str:
        return identity_of({key: value for key, value in plain.items() if key not in self.not_identity})

    def _template(self, reads: Sequence[Read], whole: DictConfig, number: int) -> Template:
        with _as_job(whole, number) as job:
            if Path(str(whole.hydra.sweep.dir)).absolute() != self.sweep_dir:
                raise UnsupportedError("hydra.sweep.dir")
            changed = [read.path for read in reads if read.path is not None]
            plain = plain_config(job, self.not_identity)
            cache = resolver_cache(self.composer.config)
            return Template.of(whole, job, plain, changed, self.not_identity, cache)

    def _filled(self, template: Template, reads: Sequence[Read], overrides: Sequence[str], number: int) -> Job | None:
        given = [(read.path, read.override) for read in reads if read.path is not None]
        filled = template.fill(given, number, f"{self._name}_{number}")
        if self.wanted is not None and not self.wanted(filled.values, overrides):
            return None
        make_config = partial(changed_config, template.plain, filled.changes)
        name = self._generic(make_config()) if self.identity is None else self.identity(filled.values)
        directory = self.sweep_dir / self._beneath(filled.subdir, overrides)
        return Job(directory, name, filled.timeout, bool(filled.optional), make_config, self._compose)

    @cached_property
    def _name(self) -> str:
        return str(self.composer.config.hydra.job.name)

    def _compose(self, run: Any) -> bytes:
        whole = self.composer.compose(run.overrides)
        _number(whole, run.number)
        return cloudpickle.dumps(whole)


def _whole(compose: Callable[[Any], DictConfig], overrides: Sequence[str]) -> DictConfig:
    """The whole config of a job. Raises Hydra's errors, and ConfigError for what Hydra lets through of others."""
    try:
        return compose(overrides)
    except (HydraException, OmegaConfBaseException):
        raise
    except Exception as error:  # a file that is no YAML, a group that is null where its name is needed
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ConfigError(f"the config of the job {' '.join(overrides)} cannot be made: {said}") from error


@contextmanager
def _as_job(whole: DictConfig, number: int) -> Iterator[DictConfig]:
    """Yield the config as the task will see it, without `hydra`; HydraConfig holds the job's `hydra` in the block."""
    _number(whole, number)
    with shown_by_hydra_config(whole), without_leases():
        job: DictConfig = cloudpickle.loads(cloudpickle.dumps(whole))  # several times as fast as `copy`
        with read_write(job), open_dict(job):
            del job["hydra"]
        yield job


def _number(whole: DictConfig, number: int) -> None:
    with read_write(whole), open_dict(whole):
        whole.hydra.job.id = f"{whole.hydra.job.name}_{number}"
        whole.hydra.job.num = number


def plain_config(job: DictConfig, unresolved: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The values of `job`, `as_plain`.

    A top-level key stands as written where it is in `unresolved` or cannot be resolved here, and so does an object. The
    clock does not change what a run is: of `${now:...}` its form stands, so that the same command goes on.
    """
    with clock_by_its_form(job):
        return _plain_config(job, unresolved)


def _plain_config(job: DictConfig, unresolved: frozenset[str]) -> dict[str, Any]:
    written: Any = OmegaConf.to_container(job, resolve=False)
    plain = {str(as_plain(key)): as_plain(value) for key, value in written.items()}
    for key in job:
        name = str(as_plain(key))
        if name in unresolved or OmegaConf.is_missing(job, key):
            continue
        try:
            value = job[key]
            resolved = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException:
            # Such a value shows its error when the task asks for it; what the run is, its text says as well.
            continue
        plain[name] = as_plain(_objects_as_written(resolved, written[key]))
    return plain


def _objects_as_written(resolved: Any, written: Any) -> Any:
    """The value, of an object in it what is written: two of a resolver may have one text, `<function <lambda>>`."""
    if not holds_object(resolved):
        return resolved
    if isinstance(resolved, dict) and isinstance(written, dict):
        return {key: _objects_as_written(value, written[key]) for key, value in resolved.items()}
    if isinstance(resolved, list) and isinstance(written, list):
        return [_objects_as_written(*pair) for pair in zip(resolved, written, strict=True)]
    return written


def _packed(value: Any) -> bytes:
    """Pickled, at a fifth of the size: there are thousands of them."""
    return zlib.compress(cloudpickle.dumps(value), 1)


def _unpacked(packed: bytes) -> Any:
    return cloudpickle.loads(zlib.decompress(packed))


def _same(one: Any, other: Any) -> bool:
    """Whether they are equal, with their types: 1 and 1.0 are not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)

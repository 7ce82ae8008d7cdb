"""Callbacks of Hydra that accompany a sweep, or a single run, of any launcher."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ddrsa.cli import ending_the_command
from ddrsa.errors import ConfigError
from ddrsa.follow.endings import at_end, end
from ddrsa.follow.jobs import note_end, note_start
from ddrsa.overrides import task_overrides
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST


class SweepCallback(Callback):
    """A callback that does something while a sweep is under way, and at its end.

    It is pickled into the processes of the runs, where it only notes how jobs end that nobody else notes. `key` is the
    key of the config that it reads, `order` its place among those at the end.
    """

    key: ClassVar[str]
    order: ClassVar[int]

    active = False

    def __getstate__(self) -> dict[str, Any]:
        return {"active": self.active}

    def prepare(self, begun: Begun) -> None:
        """Begin. Raises UsageError where that is not possible, before anything is written."""
        raise NotImplementedError

    def finish(self) -> None:
        """Called when all has ended."""
        raise NotImplementedError

    @property
    def wanted(self) -> bool:
        """Whether the config asks for it."""
        return True

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        with ending_the_command():
            _refuse_swept(config, self.key)
            if self.wanted and not config.hydra.sweeper.get("dry_run"):
                self._begin(config)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        with ending_the_command():
            if self.wanted:
                self._begin(config)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        if self.active:
            note_start(config)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:  # noqa: ARG002
        if self.active:
            note_end(config, job_return)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        end()

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        end()

    def _begin(self, config: DictConfig) -> None:
        self.prepare(Begun(config))
        self.active = True
        at_end(self.order, self.key, self.finish)


class Begun:
    """Whether the sweep of a config has begun, and where: until then its config may turn out to be wrong."""

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        self.single = config.hydra.mode == RunMode.RUN
        self._cwd = Path.cwd()
        self._first = self.directory
        self._before = self._stamps()

    @property
    def directory(self) -> Path:
        """The directory of the sweep; of a single run that is not beneath it, its own."""
        # Read anew each time: the sweeper corrects it where a key of its jobs stands in it.
        sweep = self._cwd / str(self.config.hydra.sweep.dir)
        if not self.single:
            return sweep
        run = self._cwd / str(self.config.hydra.run.dir)
        return sweep if run.is_relative_to(sweep) else run

    def __call__(self) -> Path | None:
        """The directory, where the sweep has begun."""
        directory, now = self.directory, self._stamps()
        before = self._before if directory == self._first else {}
        return (
            directory if any(stamp is not None and stamp != before.get(name) for name, stamp in now.items()) else None
        )

    def _stamps(self) -> dict[str, tuple[int, int] | None]:
        """Of the files with which a sweep begins, or a single run."""
        if self.single:
            run = self._cwd / str(self.config.hydra.run.dir)
            return {"run": _stamp(run / ".hydra" / "config.yaml")}
        return {name: _stamp(self.directory / name) for name in (CONFIG, MANIFEST)}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _refuse_swept(config: DictConfig, key: str) -> None:
    """Raise ConfigError where several values stand without brackets, which are one run for each of them."""
    for override in OverridesParser.create().parse_overrides(task_overrides(config)):
        if override.key_or_group == key and override.is_sweep_override():
            values = str(override.input_line).partition("=")[2]
            raise ConfigError(f"{override.input_line}: several at once stand in brackets, {key}=[{values}]")


def plain(value: Any) -> Any:
    """A value of a config as plain lists and mappings."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value

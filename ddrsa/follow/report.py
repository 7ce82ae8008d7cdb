"""Hydra's callback that writes the tables, plots and report of a sweep at its end: `report=true`."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import ddrsa
from ddrsa.errors import ConfigError
from ddrsa.extras import missing_extra
from ddrsa.follow.callback import Begun, SweepCallback
from ddrsa.started import COMMAND
from ddrsa.texts import printable

log = logging.getLogger(__name__)


class ReportSweep(SweepCallback):
    """Does what analyze.py does with the directory of the sweep, in a process of its own."""

    key: ClassVar[str] = "report"
    order: ClassVar[int] = 10  # before trackers and messages, which take it along

    def __init__(self, report: bool = True) -> None:
        """report: whether to write it."""
        self._report = report
        self._begun: Begun | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is to be written."""
        return self._report is not False

    def prepare(self, begun: Begun) -> None:
        """Raises ConfigError where it cannot be written."""
        if self._report is not True:
            raise ConfigError(f"report={self._report}: allowed are true and false")
        for module in ("pandas", "matplotlib", "jinja2", "scipy"):
            if find_spec(module) is None:
                raise ConfigError(missing_extra("report=true", ModuleNotFoundError(name=module), "analysis"))
        if begun.single:
            raise ConfigError("report=true: it is of a sweep, which needs -m; visualize=true draws a single run")
        self._begun = begun

    def finish(self) -> None:
        """Write it, where the sweep has begun. Ctrl+C leaves it out."""
        directory = None if self._begun is None else self._begun()
        if directory is None:
            return
        write_report(directory)


def write_report(directory: Path) -> bool:
    """Analyze the sweep; whether that went well. Where it did not, one line says why."""
    shown = os.path.relpath(directory)
    again = f"{COMMAND} analyze hydra.sweep.dir={shown}"
    # As in any other directory: a file `pandas.py` of the app's is not imported in the place of the package.
    package = str(Path(ddrsa.__file__).parents[1])
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), package]))
    words = [sys.executable, "-P", "-m", "ddrsa", "analyze", f"hydra.sweep.dir='{directory}'"]
    sys.stdout.flush()
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].removeprefix("error: ") if lines else f"exit code {done.returncode}"
        log.warning("the report is not written: %s (%s)", printable(reason), printable(again))
    return done.returncode == 0

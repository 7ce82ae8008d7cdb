"""The present answer of a sweep, renewed as its runs end, by a process that reads as `analyze` does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import ddrsa
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.plot_files import file_to_show
from ddrsa.live.analyst import ANSWER, PLOTS
from ddrsa.live.progress import now
from ddrsa.rundir.files import read_json

# A new one begins that long after the last, at least; an analysis takes no more than a tenth of the time of a core.
LEAST_SECONDS = 3.0
SHARE = 9
# One that takes longer is ended, and not tried again before there is more to read.
MOST_SECONDS = 1800.0

_ERRORS = "errors.txt"
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


class PresentAnswer:
    """The answer for one sweep. out: a folder of this server's own, for what the process writes."""

    def __init__(self, directory: Path, out: Path, choice: Choice) -> None:
        self.directory, self.out, self.choice = directory, out, choice
        self.version = 0
        self.content: dict[str, Any] = {}
        self.images: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._of: Any = None  # what the runs were when the last process began
        self._began = 0.0
        self._next = 0.0
        self._has_answer = False

    @property
    def is_under_way(self) -> bool:
        """Whether it is being renewed."""
        return self._process is not None

    def renew(self, state: Any, *, ended: bool) -> None:
        """Take what the process has written, and start another where the runs are no longer those of the last.

        state: of the runs that are done, anything that differs when an answer may. ended: nothing goes on, so that
        there is nothing to wait for.
        """
        with self._lock:
            self._take()
            if self._process is None and state != self._of and (ended or time.monotonic() >= self._next):
                self._start(state)

    def _start(self, state: Any) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        for name in (ANSWER, PLOTS):
            (self.out / name).unlink(missing_ok=True)
        package = str(Path(ddrsa.__file__).parents[1])
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), package]))
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._of, self._began, self._has_answer = state, time.monotonic(), False
        with (self.out / _ERRORS).open("w") as errors:
            self._process = self._open(errors, path, one)

    def _open(self, errors: TextIO, path: str, one: dict[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            # -P: a file `pandas.py` in the working directory is not imported in the place of the package.
            [
                *(sys.executable, "-P", "-m", "ddrsa.live.analyst", str(self.directory.absolute()), str(self.out)),
                *(self.choice.metric or "", self.choice.select_by or ""),
            ],
            stdin=subprocess.PIPE,  # held open for as long as this server lives
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **one, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,  # Ctrl+C is the server's, which ends it
        )

    def _take(self) -> None:
        process = self._process
        if process is None:
            return
        code = process.poll()
        if not self._has_answer and (answer := _read(self.out / ANSWER)) is not None:
            self._has_answer = True
            self.content = {**self.content, **answer, "at": now()}
            self.version += 1
        if code is None and time.monotonic() - self._began > MOST_SECONDS:
            process.kill()
            code = process.wait()
        if code is None:
            return
        self._process = None
        self.version += 1
        if process.stdin is not None:
            process.stdin.close()
        plots = _read(self.out / PLOTS)
        spent = time.monotonic() - self._began if plots is None else float(plots.pop("seconds", 0.0))
        self._next = time.monotonic() + max(LEAST_SECONDS, SHARE * spent)
        if plots is None:
            lines = (self.out / _ERRORS).read_text(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"exit code {code}"
            self.content = {**self.content, "problem": f"the analysis ended: {reason}"}
        else:
            problem = plots.pop("problem", None) or self.content.get("problem")
            self.images = {name: image for plot in plots["plots"] if (image := self._image(name := plot["name"]))}
            plots["plots"] = [plot for plot in plots["plots"] if plot["name"] in self.images]
            self.content = {**self.content, **plots, "problem": problem}

    def _image(self, name: str) -> tuple[str, bytes] | None:
        folder = self.out / "analysis_plots"
        try:
            file = file_to_show(folder / f"{name}.svg", folder / f"{name}.png")
            return _KINDS[file.suffix], file.read_bytes()
        except OSError:
            return None

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                if self._process.stdin is not None:
                    self._process.stdin.close()
                self._process = None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except ValueError:
        return None
    if content is not None:
        content.pop("schema_version", None)
    return content

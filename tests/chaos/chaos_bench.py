"""A bench for one trial: a directory with sweeps of chaos_app.py, which are forked from this process."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

# Imported once for all launchers that are forked from here.
import ddrsa.sweep.launcher
import ddrsa.sweep.search.search
import ddrsa.sweep.sweeper  # noqa: F401
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS
from ddrsa.sweep.verify.bench import CheckFailed, Launches, require, until

HERE = Path(__file__).parent
SECONDS = 600.0  # of a launch, on a machine with other work to do
CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: checked}, _self_]
x: 0
count: 5
seconds: 0.02
children: false
hydra: {sweep: {dir: sweep, subdir: "x${x}"}, launcher: {n_jobs: 2, retries: 20, not_identity: [children, seconds]}}
"""


class Launch:
    """A launcher under way."""

    def __init__(self, pid: int, output: Path) -> None:
        self.pid = pid
        self.output = output
        self.exit_code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code

    def wait(self, seconds: float = SECONDS) -> int:
        until(lambda: self.poll() is not None, f"a launcher did not end in {seconds:g} s", seconds)
        assert self.exit_code is not None
        return self.exit_code

    def send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def printed(self) -> str:
        return self.output.read_text(errors="replace")


class ChaosBench(Launches):
    """Sweeps of chaos_app.py."""

    def __init__(self, directory: Path, command: list[str]) -> None:
        super().__init__(directory)
        self.command = command
        self.launches: list[Launch] = []
        directory.mkdir(parents=True, exist_ok=True)
        self.program = self.make_program()

    def make_program(self) -> Path:
        """The program that is launched."""
        (self.directory / "chaos_app.yaml").write_text(CONFIG)
        program = self.directory / "chaos_app.py"
        program.write_text((HERE / "chaos_app.py").read_text())
        return program

    @property
    def sweep(self) -> Path:
        """The directory of the sweep."""
        return self.directory / "sweep"

    def begin(self, *more: str) -> Launch:
        """Start a launcher."""
        output = self.directory / f"output-{len(self.launches)}"
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            self._become(output, [*self.command, *more])
        self.launches.append(Launch(pid, output))
        return self.launches[-1]

    def _become(self, output: Path, arguments: list[str]) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(self.directory)
            with output.open("wb") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.environ |= self.environ
            sys.argv[:] = [self.program.name, "-m", *arguments]
            sys.path.insert(0, str(self.program.parent))
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            try:
                runpy.run_path(str(self.program), run_name="__main__")
                code = 0
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else int(error.code is not None)
            except KeyboardInterrupt:
                code = 130
            import atexit

            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def tree(self, launch: Launch) -> dict[str, list[psutil.Process]]:
        """The processes of a launch, by what they are; each list may be empty."""
        found: dict[str, list[psutil.Process]] = {"guardian": [], "server": [], "worker": [], "child": []}
        try:
            level = psutil.Process(launch.pid).children()
        except psutil.NoSuchProcess:
            return found
        for name in found:
            found[name] = level
            level = [child for process in level for child in _children(process)]
        return found

    def steps_done(self) -> int:
        """Steps that the runs have done, those that were done again counted again."""
        return len(self.events("step"))

    def until_steps(self, count: int, launches: list[Launch], seconds: float = SECONDS) -> None:
        """Wait until so many steps were done, or all launchers have ended."""
        until(
            lambda: self.steps_done() >= count or all(launch.poll() is not None for launch in launches),
            f"{count} steps were not done",
            seconds,
        )

    def results(self) -> dict[str, Any]:
        """What the sweep has found, without times and numbers of attempts."""
        found = {}
        for file in sorted(self.sweep.glob("*/status.json")):
            status = read_json(file) or {}
            rows = (file.parent / "training_log.csv").read_text()
            found[file.parent.name] = (status["state"], status.get("return_value"), rows)
        return found

    def completed(self) -> dict[str, int]:
        """The runs that have their result, and the attempts that it took."""
        runs = [RunDirectory(file.parent) for file in self.sweep.glob("*/status.json")]
        found = {run.path.name: run.status_or_empty() for run in runs}
        return {name: status.get("attempt", 0) for name, status in found.items() if status.get("state") == "completed"}

    def check(self, reference: dict[str, Any]) -> None:
        """What every trial must end in. Raises CheckFailed."""
        until(lambda: not self.processes(), "processes were left over", 30)
        for launch in self.launches:
            require("Traceback" not in launch.printed, f"a traceback in {launch.output}")
        results = self.results()
        require(set(results) == set(reference), f"the runs are {sorted(results)} instead of {sorted(reference)}")
        for name, expected in reference.items():
            require(results[name] == expected, f"{name} has {results[name]} instead of {expected}")
        require(not self.events("twice"), "two processes were at one run")
        manifest, all_results = read_json(self.sweep / MANIFEST), read_json(self.sweep / RESULTS)
        assert manifest is not None
        assert all_results is not None
        planned = {run["directory"] for key in ("runs", "earlier_runs") for run in manifest.get(key, [])}
        require(planned == set(reference), f"the manifest names {sorted(planned)}")
        counts = all_results["counts"]
        require(counts == {"completed": len(reference)}, f"all_results.json counts {counts}")
        left = [str(path.relative_to(self.sweep)) for path in self.sweep.rglob("*.tmp")]
        require(not left, f"left behind: {left}")

    def end(self) -> None:
        """Kill all that is left."""
        for launch in self.launches:
            launch.send(signal.SIGCONT)
            launch.send(signal.SIGKILL)
        super().__exit__()
        for launch in self.launches:
            launch.wait()

    def __exit__(self, *_: object) -> None:
        self.end()


def _children(process: psutil.Process) -> Iterator[psutil.Process]:
    try:
        yield from process.children()
    except psutil.NoSuchProcess:
        return


def pause(seconds: float) -> None:
    """Let a moment pass: where a fault falls is a matter of chance."""
    time.sleep(seconds)


__all__ = ["ChaosBench", "CheckFailed", "Launch", "pause", "require", "until"]

"""What a sweep shows on a terminal and elsewhere, with real sweeps of a small Hydra app."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from programs import LAUNCHING, run_program

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.sweep.watch import planned_runs

ROOT = Path(__file__).parents[3]

CONFIG = """
defaults:
  - override hydra/sweeper: checked
  - override hydra/launcher: supervised
  - _self_
size: 1
only: null
hydra:
  sweeper: {only: "${only}"}
  launcher: {n_jobs: 2, not_identity: [only], columns: {validation_loss: val. loss, best_validation_loss: best}}
  sweep: {dir: sweep, subdir: "size_${size}"}
"""

APP = """
import time
import hydra
from hydra.core.hydra_config import HydraConfig
from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.rundir.directory import RunDirectory

@hydra.main(config_path=".", config_name="config", **VERSION_BASE)
def main(config):
    run = RunDirectory(HydraConfig.get().runtime.output_dir)
    print("a line of the task")
    for epoch in range(1, 5):
        time.sleep(0.3)
        run.update(epoch=epoch, num_epochs=4, validation_loss=config.size / epoch, best_validation_loss=0.125)
        if config.size == 3 and epoch == 2:
            raise ValueError("three is too many")
    return config.size

run_cli(main)
"""

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def environment(**changes: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", **changes}


class Terminal:
    """A process on a terminal of its own; `text` is all that it has printed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.descriptor, end = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment(),
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)
        self.text = ""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self.descriptor, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not read:
                break
            self.text += read.decode()
        os.close(self.descriptor)

    def wait_for(self, pattern: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, CONTROL.sub("", self.text)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            time.sleep(0.05)

    def end(self, seconds: float = 60) -> int:
        code = self.process.wait(seconds)
        self.reader.join()
        return code

    def assert_clean(self) -> None:
        """The cursor is shown again."""
        assert self.text.count("\x1b[?25l") >= 1
        assert self.text.rindex("\x1b[?25h") > self.text.rindex("\x1b[?25l")


def sweep(folder: Path, *overrides: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return run_program(Path("app.py"), "-m", *overrides, imports=LAUNCHING, cwd=folder, env=environment(**changes))


def test_a_terminal_shows_the_runs_and_is_left_clean(folder: Path) -> None:
    terminal = Terminal(folder, "app.py", "-m", "size=1,2,3,4")
    assert terminal.end() == 1
    plain = CONTROL.sub("", terminal.text)
    assert re.search(r"size=1 +2/4 +0\.5000 +0\.1250", plain)
    assert re.search(r"2 of 4 .*left: \d+ s", plain)
    # A failure is told once when it happens, in the table and in the error.
    assert re.search(
        r"\[\d/4\] failed after \d s: size=3: ValueError: three is too many; see sweep/size_3/run.log", plain
    )
    assert plain.count("ValueError: three is too many") == 3
    assert "a line of the task" not in plain
    terminal.assert_clean()
    end = terminal.text[terminal.text.rindex("4 runs: 3 completed, 1 failed") :]
    assert "the best: sweep/size_1" in end
    # Nothing is drawn over what stays.
    assert not re.search(r"\x1b\[\d*[AKJ]|\x1b\[\?25l", end)


def test_ctrl_c_leaves_the_terminal_clean(folder: Path) -> None:
    terminal = Terminal(folder, "app.py", "-m", "size=1,2,4,5,6,7")
    terminal.wait_for(r"size=1 +1/4")
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert "4 pending" in CONTROL.sub("", terminal.text).replace("\n", " ")
    terminal.assert_clean()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="pipe"),
        pytest.param({"CI": "true"}, id="CI", marks=pytest.mark.slow),
        pytest.param({"FORCE_COLOR": "1"}, id="FORCE_COLOR"),
    ],
)
def test_plain_lines_where_there_is_no_terminal(folder: Path, changes: dict[str, str]) -> None:
    done = sweep(folder, "size=2,3", **changes)
    assert done.returncode == 1, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout
    assert re.search(r"^\d\d:\d\d:\d\d \[\d/2\] completed after \d s: size=2$", done.stdout, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d \[\d/2\] failed after \d s: size=3: ValueError", done.stdout, re.MULTILINE)
    assert done.stdout.count("three is too many") == 2
    assert "1 of 2 runs failed" in done.stdout


def test_ci_has_plain_lines_on_a_terminal_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.environment", lambda: {**os.environ, "CI": "true", "PYTHONPATH": str(ROOT)})
    terminal = Terminal(folder, "app.py", "-m", "size=1,2")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.text
    assert "[2/2] completed" in terminal.text


def test_a_closed_pipe_does_not_end_the_sweep(folder: Path) -> None:
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "app.py", "-m", "size=1,2,4"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
    states = [(RunDirectory(folder / "sweep" / f"size_{size}").read_status() or {})["state"] for size in (1, 2, 4)]
    assert states == ["completed"] * 3
    assert (folder / "stderr").read_text() == ""
    assert "nobody reads the output any more" in (folder / "sweep" / "sweep.log").read_text()


def test_watch_shows_a_sweep_that_runs_elsewhere(folder: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "app.py", "-m", "size=1,2,3,4"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not (folder / "sweep" / "experiment_manifest.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [run.name for run in planned_runs(folder / "sweep")] == ["size=1", "size=2", "size=3", "size=4"]
    left = Terminal(folder, "-m", "ddrsa.sweep", "watch", "sweep")
    terminal = Terminal(folder, "-m", "ddrsa.sweep", "watch", "sweep")
    left.wait_for(r"size=\d +\d/4")
    os.killpg(left.process.pid, signal.SIGINT)
    assert left.end() == 130
    left.assert_clean()

    assert terminal.end() == 1
    assert running.wait(10) == 1
    plain = CONTROL.sub("", terminal.text)
    assert re.search(r"size=\d +\d/4 +\d\.\d{4} +0\.1250", plain)
    assert "4 runs: 3 completed, 1 failed" in plain
    assert "sweep/size_3/run.log" in plain
    terminal.assert_clean()


def watch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ddrsa.sweep", "watch", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=30, check=False
    )


def test_watch_needs_a_sweep(tmp_path: Path) -> None:
    nothing = watch(tmp_path, "nowhere")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr == (
        f"error: {tmp_path}/nowhere is no sweep: it has neither experiment_manifest.json nor a run directory\n"
    )
    (tmp_path / "experiment_manifest.json").write_text("{")
    damaged = watch(tmp_path, ".")
    assert damaged.returncode == 2
    assert len(damaged.stderr.splitlines()) == 1
    assert "experiment_manifest.json is not valid JSON" in damaged.stderr


def test_watch_goes_by_the_run_directories_where_there_is_no_manifest(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run = RunDirectory(tmp_path / name)
        run.config.parent.mkdir(parents=True)
        run.config.write_text("{}")
        write_json(run.status, {"state": "completed", "return_value": len(name)})
        os.utime(run.status, (1, 1))
    done = watch(tmp_path, ".")
    assert done.returncode == 0, done.stderr
    assert "2 runs: 2 completed" in done.stdout


def test_watch_tells_of_a_run_whose_process_is_gone(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "a")
    run.config.parent.mkdir(parents=True)
    run.config.write_text("{}")
    code = f"from ddrsa.rundir.directory import RunDirectory; RunDirectory({str(run.path)!r}).begin('0')"
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "ddrsa.sweep", "watch", "."],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert re.search(r"\[0/1\] lost.*: a: its process is gone", process.stdout.readline())
    # It is tried again, and ends.
    run.end("completed")
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "[1/1] completed" in rest


def test_watch_ends_when_the_launcher_was_killed(folder: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "app.py", "-m", "size=1,2,4,5,6,7"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    while "completed" not in running.stdout.readline():
        assert running.poll() is None
    running.kill()
    running.communicate()
    done = watch(folder, "sweep")
    assert done.returncode == 1, done.stderr
    assert re.search(
        r"the launcher has gone, and (1 run has|\d runs have) not ended: its command goes on with what is left",
        done.stdout,
    )
    assert re.search(r"^6 runs: \d completed, .*\d pending$", done.stdout, re.MULTILINE)

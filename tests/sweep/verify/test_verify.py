"""The checks that a user runs: they pass for the supervised launcher, and fail where something does not hold."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from rich.console import Console

from ddrsa.sweep.__main__ import main
from ddrsa.sweep.process.server_process import PORTABLE_VARIABLE
from ddrsa.sweep.verify import checks
from ddrsa.sweep.verify.bench import Bench, CheckFailed
from ddrsa.sweep.verify.checks import CHECKS
from ddrsa.sweep.verify.command import verify


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the checks work; it must be empty after them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def verified(launcher: str, *names: str) -> tuple[int, str]:
    output = io.StringIO()
    console = Console(file=output, width=200)
    return verify(launcher, {name: CHECKS[name] for name in names}, console), output.getvalue()


def test_it_passes_and_leaves_nothing_behind(temporary: Path) -> None:
    exit_code, output = verified("supervised", "runs at once", "isolation", "resume", "GPU leases")
    assert exit_code == 0, output
    assert output.count(" pass ") == 4
    assert "all 4 checks passed for hydra/launcher=supervised" in output
    assert "not promised" not in output
    assert list(temporary.iterdir()) == []


def test_the_portable_way_passes_and_its_limits_are_told(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PORTABLE_VARIABLE, "1")
    exit_code, output = verified("supervised", "isolation", "resume")
    assert exit_code == 0, output
    assert "all 2 checks passed" in output
    assert "not promised" in output
    assert list(temporary.iterdir()) == []


def test_it_passes_in_the_background_where_a_shell_has_ctrl_c_ignored(temporary: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        exit_code, output = verified("supervised", "Ctrl+C once")
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert exit_code == 0, output
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_all_checks_pass(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    assert f"all {len(CHECKS)} checks passed" in capsys.readouterr().out
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_launcher_that_does_not_hold_it_fails(temporary: Path) -> None:
    # joblib's ends with the first run that is killed, and does a completed run again.
    exit_code, output = verified("joblib", "one at a time", "isolation", "resume", "two launchers", "retries")
    assert exit_code == 1
    assert "the states are [None, None, None, None, None]" in output
    assert "the runs that started were x=[0, 1, 0, 1, 2]" in output
    assert "each should once" in output
    assert "Key 'retries' not in" in output
    assert "4 of 5 checks failed for hydra/launcher=joblib" in output
    assert list(temporary.iterdir()) == []


class Pretended(Bench):
    """No sweep is run: what its runs would have said is given."""

    def __init__(self, directory: Path, events: list[tuple[str, int, int, float]]) -> None:
        super().__init__(directory)
        self.said = events

    def start(self, *overrides: str) -> subprocess.Popen[str]:  # noqa: ARG002
        lines = [
            json.dumps({"event": event, "x": x, "pid": x, "gpu": gpu, "at": at, "step": gpu})
            for event, x, gpu, at in self.said
        ]
        (self.directory / "events.txt").write_text("\n".join(lines))
        process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE, text=True)
        self.launched.append(process)
        return process


def spans(begin: str, end: str, *each: tuple[int, float, float]) -> list[tuple[str, int, int, float]]:
    """each: GPU, begin and end of x = 0, 1, ..."""
    return [
        event for x, (gpu, first, last) in enumerate(each) for event in ((begin, x, gpu, first), (end, x, gpu, last))
    ]


@pytest.mark.parametrize(
    ("check", "events", "message"),
    [
        ("one at a time", spans("begins", "ends", (0, 0, 1), (0, 1, 2), (0, 2, 3)), None),
        ("one at a time", spans("begins", "ends", (0, 0, 1), (0, 0.5, 2), (0, 2, 3)), "overlapped"),
        ("one at a time", spans("begins", "ends", (0, 0, 1), (0, 1, 2)), "2 of 3 runs"),
        ("GPU leases", spans("leased", "releases", *[(x % 2, x, x + 1) for x in range(6)]), None),
        ("GPU leases", spans("leased", "releases", *[(x % 2, x, x + 2.5) for x in range(6)]), "two runs had GPU 0"),
        ("GPU leases", spans("leased", "releases", *[(0, x, x + 1) for x in range(6)]), "GPU 1 was never leased"),
        ("GPU leases", spans("leased", "releases", *[(x % 2, x, x + 1) for x in range(5)]), "5 of 6 leases"),
        ("two launchers", spans("begins", "ends", *[(0, x, x + 1) for x in range(4)]), None),
        ("two launchers", spans("begins", "ends", *[(0, x, x + 1) for x in range(5)]), "each should once"),
    ],
)
def test_what_was_seen_decides(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    events: list[tuple[str, int, int, float]],
    message: str | None,
) -> None:
    monkeypatch.setattr(checks, "visible_gpus", list)
    with Pretended(tmp_path / "bench", events) as bench:
        if message is None:
            CHECKS[check](bench)
            return
        with pytest.raises(CheckFailed, match=message):
            CHECKS[check](bench)


def test_processes_that_are_left_over_are_found_and_killed(tmp_path: Path) -> None:
    with Bench(tmp_path / "bench") as bench:
        left = subprocess.Popen(["sleep", "60"], cwd=bench.directory)
        with pytest.raises(CheckFailed, match="processes were left over"):
            bench.require_no_processes(0.2)
    assert left.wait(10) != 0


def test_a_wrong_exit_code_is_told_with_the_reason(tmp_path: Path) -> None:
    with (
        Bench(tmp_path / "bench") as bench,
        pytest.raises(CheckFailed, match=r"exit code 2 instead of 0: error: .*nope"),
    ):
        bench.run("x=0,1", "hydra.launcher.nope=1")


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "ddrsa.sweep", "verify"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/0/events.txt")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(2)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert list(tmp_path.iterdir()) == []

"""python -m ddrsa, on a terminal of its own and without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from ddrsa.menu.speed import Speed
from ddrsa.rundir.directory import find_runs
from ddrsa.rundir.files import read_json

ROOT = Path(__file__).parents[2]
TINY = "model=lstm seed=0,1 batch_size=64,128 dataset.num_units=10 lookback=6 horizon=12 device=cpu num_epochs={}"
UP, DOWN, ENTER, CTRL_C = "\x1b[A", "\x1b[B", "\r", "\x03"

Menu = Callable[[], pexpect.spawn]


def environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "COLUMNS")}
    return {**kept, "PYTHONPATH": str(ROOT), "DDRSA_CACHE_DIR": str(folder / "cache"), "TERM": "xterm"}


@pytest.fixture
def menu(tmp_path: Path) -> Iterator[Menu]:
    opened: list[pexpect.spawn] = []

    def open_menu() -> pexpect.spawn:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "ddrsa"],
            cwd=str(tmp_path),
            env=environment(tmp_path),
            timeout=120,
            encoding="utf-8",
            dimensions=(50, 400),
        )
        opened.append(child)
        child.expect("Which sweep")
        child.expect("quit")
        return child

    yield open_menu
    for child in opened:
        child.close(force=True)


def choose_tiny(child: pexpect.spawn, epochs: int) -> None:
    child.send("2" + ENTER)
    child.expect("On which data set")
    child.send(ENTER)
    child.expect("Anything else to change")
    child.send(TINY.format(epochs) + ENTER)
    child.expect("4 runs, . at once, time not known")
    child.expect(r"train\.py -m experiment=batch_size_study model=lstm .*hydra\.sweep\.dir=multirun/\S+")
    child.expect("Run it")
    child.expect("quit")


def sweep_dir(folder: Path) -> Path:
    (found,) = folder.glob("multirun/*/*")
    return found


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_preset_is_listed_run_and_analyzed(menu: Menu, tmp_path: Path) -> None:
    child = menu()
    choose_tiny(child, 1)
    child.send("2" + ENTER)
    child.expect("4 of 4 runs would start")
    child.expect("Run it")
    child.expect("quit")
    assert not (tmp_path / "multirun").exists()
    child.send(DOWN + UP + ENTER)
    child.expect("4 runs: 4 completed")
    child.expect("best_configurations.csv")
    child.expect(r"analyze\.py hydra\.sweep\.dir=multirun/")
    child.expect(pexpect.EOF)
    assert child.wait() == 0
    assert (sweep_dir(tmp_path) / "best_configurations.csv").is_file()
    # The next menu judges times by these runs.
    assert Speed().read(tmp_path / "multirun").count == 4


@pytest.mark.slow
def test_the_speed_is_measured(menu: Menu, tmp_path: Path) -> None:
    child = menu()
    choose_tiny(child, 4)
    child.send("3" + ENTER)
    child.expect(r"train\.py -m .*hydra\.sweeper\.params=null batch_size=64,128 num_epochs=2")
    child.expect("2 runs: 2 completed")
    child.expect(r"4 runs, . at once, up to about \d+ s")
    child.expect("quit")
    child.send("q" + ENTER)
    child.expect(pexpect.EOF)
    assert child.wait() == 0
    assert len(find_runs(tmp_path / "cache" / "speed" / "measured")) == 2
    assert not (tmp_path / "multirun").exists()


@pytest.mark.slow
def test_a_grid_of_ones_own(menu: Menu) -> None:
    child = menu()
    child.send("c" + ENTER)
    child.expect("Which data sets")
    child.send(ENTER)
    child.expect("Which models")
    child.send(" " + ENTER)  # the first, besides the one that is chosen already
    child.expect("Batch sizes")
    child.send(",x" + ENTER)
    child.expect("allowed are whole numbers")
    child.send("\x7f" * 20 + "32, 64" + ENTER)
    for question, answer in {
        "Learning rates": "",
        "Rates of dropout": "",
        "Weights of NASA": "\x7f" * 20 + "0,0.1",
        "Seeds": "\x7f" * 20 + "range(3)",
        "Epochs": "",
    }.items():
        child.expect(question)
        child.send(answer + ENTER)
    child.expect(r"(\d+) runs")
    child.expect(r"-m dataset=simulated model=(\S+) batch_size=32,64 nasa_weight=0,0.1 'seed=range\(3\)' hydra.sweep")
    assert len(child.match[1].split(",")) == 2
    child.expect("Run it")
    child.send(CTRL_C)
    child.expect(pexpect.EOF)
    assert child.wait() == 130


@pytest.mark.slow
def test_ctrl_c_means_what_it_means_in_a_sweep(menu: Menu, tmp_path: Path) -> None:
    child = menu()
    choose_tiny(child, 30)
    child.send("1" + ENTER)
    until(lambda: list(tmp_path.rglob("training_log.csv")), "no run has started")
    child.send(CTRL_C)
    # The runs under way finish, no other starts.
    child.expect("2 pending", timeout=120)
    child.expect(r"to go on: +python \S*train\.py resume=multirun/")
    child.expect(pexpect.EOF)
    assert child.wait() == 130
    states = [(run.read_status() or {})["state"] for run in find_runs(sweep_dir(tmp_path))]
    assert states == ["completed", "completed"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_handed_on(menu: Menu, tmp_path: Path, number: signal.Signals) -> None:
    child = menu()
    choose_tiny(child, 300)
    child.send("1" + ENTER)
    until(lambda: list(tmp_path.rglob("training_log.csv")), "no run has started")
    os.kill(child.pid, number)
    child.expect(pexpect.EOF)
    assert child.wait() == 130
    results = read_json(sweep_dir(tmp_path) / "all_results.json") or {}
    assert results["counts"]["interrupted"] >= 1


def test_without_a_terminal_it_lists_the_sweeps(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ddrsa"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "quick_comparison: 20 runs, time not known\n" in done.stdout
    assert f"  python {ROOT}/train.py -m experiment=full_grid\n" in done.stdout
    assert "no run has completed on this machine" in done.stdout
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_unknown_arguments(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ddrsa", "full_grid"], cwd=tmp_path, env=environment(tmp_path), capture_output=True
    )
    assert done.returncode == 2

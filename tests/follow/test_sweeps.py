"""Whole sweeps with all that accompanies them, under several launchers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddrsa.rundir.files import read_json
from ddrsa.tracking.ledger import read_ledger

APP = """
import os, signal, sys, time
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(config_path=None, config_name="app", version_base="1.3")
def main(cfg):
    out = Path(HydraConfig.get().runtime.output_dir)
    for epoch in range(1, 4):
        with (out / "metrics.csv").open("a") as stream:
            if epoch == 1:
                stream.write("epoch,loss\\n")
            stream.write(f"{epoch},{cfg.x + epoch}\\n")
    if cfg.x == 13:
        raise ValueError("thirteen")
    while cfg.x == 99:  # until it is killed
        time.sleep(0.1)
    return cfg.x

main()
"""
CONFIG = "x: 0\nhydra: {sweep: {dir: sweep, subdir: 'x${x}'}}\n"


class App:
    """A Hydra app that knows nothing of this project, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "app.py").write_text(APP.replace("config_path=None", "config_path='.'"))
        (folder / "app.yaml").write_text(CONFIG)
        self.environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "app.py", *overrides],
            cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *overrides: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        process = self.start(*overrides)
        printed, _ = process.communicate(timeout=200)
        return process.returncode, printed

    def losses(self, name: str) -> list[tuple[int, float]]:
        """What TensorBoard has of a run."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        (folder,) = (self.folder / "sweep" / "tensorboard").glob(f"{name}_*")
        events = EventAccumulator(str(folder))
        events.Reload()
        return [(event.step, event.value) for event in events.Scalars("epoch/loss")]

    def told(self) -> dict[str, str]:
        """The state of each run in the ledger."""
        places = read_ledger(self.folder / "sweep", "tensorboard").get("places", {})
        entries: dict[str, Any] = places.get("tensorboard", {}).get("runs", {})
        return {entry["id"].partition("_")[0]: entry["state"] for entry in entries.values()}


@pytest.fixture
def app(tmp_path: Path) -> App:
    pytest.importorskip("tensorboard")
    return App(tmp_path)


@pytest.mark.parametrize(
    "launcher",
    ["basic", pytest.param("joblib", marks=pytest.mark.slow), pytest.param("supervised", marks=pytest.mark.slow)],
)
def test_an_app_of_somebody_else_is_told_of_under_any_launcher(app: App, launcher: str) -> None:
    code, printed = app.run("-m", "x=1,13", "+hydra/tracking=tensorboard", f"hydra/launcher={launcher}")
    assert code != 0
    assert "thirteen" in printed
    assert app.told() == {"x=1": "completed", "x=13": "failed"}, printed
    assert app.losses("x=1") == [(1, 2.0), (2, 3.0), (3, 4.0)]
    assert app.losses("x=13") == [(1, 14.0), (2, 15.0), (3, 16.0)]
    if launcher != "supervised":
        notes = {name: read_json(app.folder / "sweep" / name / ".hydra" / "job.json") or {} for name in ("x1", "x13")}
        assert (notes["x1"]["state"], notes["x1"]["return_value"]) == ("completed", 1)
        assert (notes["x13"]["state"], notes["x13"]["error"]) == ("failed", "ValueError: thirteen")


@pytest.mark.slow
def test_a_launcher_that_is_killed_and_goes_on(app: App) -> None:
    command = ("-m", "+hydra/tracking=tensorboard", "hydra/launcher=supervised", "hydra.launcher.n_jobs=1")
    process = app.start(*command, "x=1,99")
    until(lambda: "x=99" in app.told())
    process.kill()
    process.communicate()
    until(lambda: app.told()["x=99"] == "killed")
    code, printed = app.run(*command, "x=1,2")
    assert code == 0, printed
    assert app.told() == {"x=1": "completed", "x=2": "completed", "x=99": "killed"}
    assert app.losses("x=1") == [(1, 2.0), (2, 3.0), (3, 4.0)]


@pytest.mark.slow
def test_ctrl_c_ends_it_as_without(app: App) -> None:
    process = app.start(
        "-m", "+hydra/tracking=tensorboard", "hydra/launcher=supervised", "x=99,1", "hydra.launcher.n_jobs=1"
    )
    until(lambda: "x=99" in app.told())
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    printed, _ = process.communicate(timeout=100)
    assert process.returncode == 130, printed
    assert app.told() == {"x=99": "interrupted"}


def test_nothing_is_written_where_the_config_is_wrong(app: App) -> None:
    code, printed = app.run("-m", "x=1", "+hydra/tracking=tensorboard", "nonsense=3")
    assert code != 0
    assert "nonsense" in printed
    assert not (app.folder / "sweep").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+hydra.callbacks.t={_target_: ddrsa.tracking.callback.TrackSweep, trackers: {neptune: {}}}", "tensorboard"),
        (
            "+hydra.callbacks.t={_target_: ddrsa.tracking.callback.TrackSweep, trackers: {mlflow: {experiment: 3}}}",
            "a text",
        ),
        ("+hydra.callbacks.n={_target_: ddrsa.notify.callback.NotifySweep, notify: [NOT_SET_HERE]}", "no NOT_SET_HERE"),
    ],
)
@pytest.mark.slow
def test_wrong_options_end_the_command_at_once(app: App, override: str, message: str) -> None:
    code, printed = app.run("-m", "x=1", override)
    assert (code, message in printed) == (2, True), printed
    assert not (app.folder / "sweep").exists()


@pytest.mark.slow
def test_a_report_at_the_end_and_one_that_fails(app: App) -> None:
    code, printed = app.run("-m", "x=1,2", "+hydra/report=html", "hydra/launcher=supervised")
    assert code == 0, printed
    assert (app.folder / "sweep" / "report.html").is_file()
    code, printed = app.run("-m", "x=13", "+hydra/report=html", "hydra.sweep.dir=other", "hydra/launcher=supervised")
    assert code == 1
    # A directory in the place of a table.
    (app.folder / "third" / "runs.csv").mkdir(parents=True)
    code, printed = app.run("-m", "x=1", "+hydra/report=html", "hydra.sweep.dir=third", "hydra/launcher=supervised")
    assert code == 0, printed
    (line,) = [line for line in printed.splitlines() if "the report is not written" in line]
    assert "ddrsa analyze hydra.sweep.dir=third" in line


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not _holds(holds):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _holds(holds: Callable[[], object]) -> bool:
    try:
        return bool(holds())
    except (KeyError, ValueError):
        return False

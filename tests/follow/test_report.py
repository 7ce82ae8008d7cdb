"""`report=true` after a race, and after Ctrl+C of a sweep and of a search."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from followed_app import PATIENCE, FollowedApp, until

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State

REPORT = ("+hydra/report=html", "hydra/launcher=supervised", "hydra.launcher.n_jobs=2")


@pytest.fixture
def app(tmp_path: Path) -> FollowedApp:
    return FollowedApp(tmp_path)


def states(app: FollowedApp) -> dict[str, str]:
    found = {path.name: RunDirectory(path).status_or_empty() for path in app.sweep.glob("x*")}
    return {name: str(status.get("state")) for name, status in found.items()}


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE)
def test_a_race_ends_with_its_report(app: FollowedApp) -> None:
    (app.folder / "app.yaml").write_text("x: 0\nseed: 0\nhydra: {sweep: {dir: sweep, subdir: 'x${x}_${seed}'}}\n")
    code, printed = app.run("-m", "hydra/sweeper=race", "x=1,2", "hydra.sweeper.repeats=3..4", *REPORT)
    assert code == 0, printed
    page = (app.sweep / "report.html").read_text()
    assert "x1_0" in page
    assert (app.sweep / "race.json").is_file()
    # What the race says comes first, and the report is not in its way.
    assert printed.index("the race after") < printed.index("Written:")


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize(
    "sweep",
    [
        ("x=1,99",),
        ("hydra/sweeper=optuna", "x=choice(1,99)", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_trials=2"),
    ],
    ids=["sweep", "search"],
)
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_with_the_report_of_what_there_is(app: FollowedApp, sweep: Sequence[str], presses: int) -> None:
    process = app.start("-m", *sweep, *REPORT)
    until(lambda: states(app) == {"x1": State.COMPLETED, "x99": State.RUNNING})
    process.send_signal(signal.SIGINT)
    if presses == 2:
        until(lambda: "Ctrl+C" in (app.sweep / "sweep.log").read_text())
        process.send_signal(signal.SIGINT)
    else:
        (app.folder / "go").touch()  # the run under way ends in peace
    printed, _ = process.communicate(timeout=PATIENCE)
    if presses == 2:
        assert process.returncode == 130, printed
    assert states(app)["x99"] == (State.INTERRUPTED if presses == 2 else State.COMPLETED), printed
    page = (app.sweep / "report.html").read_text()
    assert ("1 interrupted" in page) == (presses == 2)
    assert "Traceback" not in printed
    # One run that has completed, and names no model, is nothing to draw.
    assert (app.sweep / "analysis_plots").is_dir() == (presses == 1)

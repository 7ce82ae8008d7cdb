"""Whole sweeps with all that accompanies them, under several launchers."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from followed_app import PATIENCE, FollowedApp, until

from ddrsa.analysis.collect import collect
from ddrsa.rundir.files import read_json

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture
def app(tmp_path: Path) -> FollowedApp:
    pytest.importorskip("tensorboard")
    return FollowedApp(tmp_path)


@pytest.mark.parametrize(
    "launcher",
    ["basic", pytest.param("joblib", marks=pytest.mark.slow), pytest.param("supervised", marks=pytest.mark.slow)],
)
def test_an_app_of_somebody_else_is_told_of_under_any_launcher(app: FollowedApp, launcher: str) -> None:
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
    rows = {row["x"]: row for row in collect(app.folder / "sweep").runs.to_dict("records")}
    assert (rows[1]["state"], rows[1]["return_value"]) == ("completed", 1)
    assert (rows[13]["state"], rows[13]["reason"]) == ("failed", "ValueError: thirteen")


def test_an_override_that_is_an_interpolation_is_told_of_as_it_was_given(app: FollowedApp) -> None:
    # Its value has a comma: resolved too early it would be two runs, or no override at all.
    given = ("x=1", "+pair='1,2: 3'", "+same=${pair}", "+hydra/tracking=tensorboard")
    code, printed = app.run("-m", *given)
    assert code == 0, printed
    assert list(app.told().values()) == ["completed"]


@pytest.mark.slow
def test_a_launcher_that_is_killed_and_goes_on(app: FollowedApp) -> None:
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
def test_ctrl_c_ends_it_as_without(app: FollowedApp) -> None:
    process = app.start(
        "-m", "+hydra/tracking=tensorboard", "hydra/launcher=supervised", "x=99,1", "hydra.launcher.n_jobs=1"
    )
    until(lambda: "x=99" in app.told())
    process.send_signal(signal.SIGINT)
    until(lambda: "no new run starts" in (app.sweep / "sweep.log").read_text())
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, printed
    assert app.told() == {"x=99": "interrupted"}


def test_nothing_is_written_where_the_config_is_wrong(app: FollowedApp) -> None:
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
def test_wrong_options_end_the_command_at_once(app: FollowedApp, override: str, message: str) -> None:
    code, printed = app.run("-m", "x=1", override)
    assert (code, message in printed) == (2, True), printed
    assert not (app.folder / "sweep").exists()


@pytest.mark.slow
def test_a_report_at_the_end_and_one_that_fails(app: FollowedApp) -> None:
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
